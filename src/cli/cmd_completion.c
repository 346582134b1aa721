/* cistern completion: scripts for shells, made from the tables of verbs and options, so that they cannot be out of date. */
#include "cli_verbs.h"
#include <string.h>

static const char *const examples[] = {
    "cistern completion bash > ~/.local/share/bash-completion/completions/cistern",
    "cistern completion zsh > ~/.zfunc/_cistern",
    "cistern completion fish > ~/.config/fish/completions/cistern.fish",
    NULL,
};

/* Text inside single quotes; `colon`: zsh's descriptions end at one. */
static void put_quoted(cli *c, const char *text, const char *quote, bool colon)
{
    for (; *text; text++) {
        char one[2] = {*text, '\0'};
        if (*text == '\'')
            term_stream_put(&c->out, quote);
        else if (colon && *text == ':')
            term_stream_put(&c->out, "\\:");
        else
            term_stream_put(&c->out, one);
    }
}

/* "--as --update …" of one table. */
static void put_words(cli *c, const cli_option *rows)
{
    for (; rows && rows->name; rows++)
        term_stream_printf(&c->out, " --%s", rows->name);
}

/* "--as|--why" of the options that take a value: what follows them is one. */
static void put_with_values(cli *c)
{
    const char *between = "";
    for (const cli_option *o = cli_options_common; o->name; o++) {
        if (!o->argument)
            continue;
        term_stream_printf(&c->out, "%s--%s", between, o->name);
        between = "|";
    }
}

static void bash(cli *c)
{
    term_stream_put(&c->out, "# bash completion of cistern\n"
                             "_cistern() {\n"
                             "    local cur=${COMP_WORDS[COMP_CWORD]} verb='' words='' i\n"
                             "    for ((i = 1; i < COMP_CWORD; i++)); do\n"
                             "        case ${COMP_WORDS[i]} in\n        ");
    put_with_values(c);
    term_stream_put(&c->out, ") [ \"${COMP_WORDS[i + 1]-}\" != = ] || ((i++)); ((i++)) ;;\n"
                             "        -*) ;;\n"
                             "        *) verb=${COMP_WORDS[i]}; break ;;\n"
                             "        esac\n"
                             "    done\n"
                             "    case $verb in\n"
                             "    '') words='");
    for (const cli_verb *const *v = cli_verbs; *v; v++)
        term_stream_printf(&c->out, "%s ", (*v)->name);
    term_stream_put(&c->out, "' ;;\n"
                             "    help) words='");
    for (const cli_verb *const *v = cli_verbs; *v; v++)
        term_stream_printf(&c->out, "%s ", (*v)->name);
    term_stream_put(&c->out, "' ;;\n"
                             "    completion) words='bash zsh fish' ;;\n"
                             "    esac\n"
                             "    if [[ $cur == -* ]]; then\n"
                             "        case $verb in\n");
    for (const cli_verb *const *v = cli_verbs; *v; v++) {
        if (!(*v)->options)
            continue;
        term_stream_printf(&c->out, "        %s) words='", (*v)->name);
        put_words(c, (*v)->options);
        term_stream_put(&c->out, "' ;;\n");
    }
    term_stream_put(&c->out, "        *) words='' ;;\n"
                             "        esac\n"
                             "        words+='");
    put_words(c, cli_options_common);
    term_stream_put(&c->out, "'\n"
                             "    fi\n"
                             "    COMPREPLY=($(compgen -W \"$words\" -- \"$cur\"))\n"
                             "}\n"
                             "complete -o bashdefault -o default -F _cistern cistern\n");
}

/* An option as zsh's _arguments takes it. */
static void zsh_option(cli *c, const cli_option *o, const char *indent)
{
    const char *more = o->kind == CLI_MORE ? "*" : "";
    term_stream_printf(&c->out, "%s'%s--%s%s[", indent, more, o->name, o->argument ? "=" : "");
    for (const char *p = o->help; *p; p++) {
        char one[2] = {*p, '\0'};
        term_stream_put(&c->out, *p == '\'' ? "'\\''" : *p == '[' ? "\\[" : *p == ']' ? "\\]" : one);
    }
    term_stream_put(&c->out, "]");
    if (o->argument) {
        bool path = strcmp(o->argument, "FILE") == 0 || strcmp(o->argument, "DIR") == 0;
        term_stream_put(&c->out, ":");
        put_quoted(c, o->argument, "'\\''", true);
        term_stream_put(&c->out, path ? ":_files" : ":");
    }
    term_stream_put(&c->out, "' \\\n");
}

static void zsh(cli *c)
{
    term_stream_put(&c->out, "#compdef cistern\n"
                             "_cistern() {\n"
                             "    local curcontext=$curcontext state line\n"
                             "    local -a verbs common\n"
                             "    verbs=(\n");
    for (const cli_verb *const *v = cli_verbs; *v; v++) {
        term_stream_printf(&c->out, "        '%s:", (*v)->name);
        put_quoted(c, (*v)->summary, "'\\''", true);
        term_stream_put(&c->out, "'\n");
    }
    term_stream_put(&c->out, "    )\n"
                             "    common=( \\\n");
    for (const cli_option *o = cli_options_common; o->name; o++)
        zsh_option(c, o, "        ");
    term_stream_put(&c->out, "    )\n"
                             "    _arguments -C $common '1:verb:->verb' '*::argument:->argument'\n"
                             "    case $state in\n"
                             "    verb) _describe verb verbs ;;\n"
                             "    argument)\n"
                             "        case $words[1] in\n"
                             "        help) _describe verb verbs ;;\n"
                             "        completion) _values shell bash zsh fish ;;\n");
    for (const cli_verb *const *v = cli_verbs; *v; v++) {
        if (!(*v)->options)
            continue;
        term_stream_printf(&c->out, "        %s) _arguments \\\n", (*v)->name);
        for (const cli_option *o = (*v)->options; o->name; o++)
            zsh_option(c, o, "            ");
        term_stream_put(&c->out, "            $common '*:argument:_files' ;;\n");
    }
    term_stream_put(&c->out, "        *) _arguments $common '*:argument:_files' ;;\n"
                             "        esac ;;\n"
                             "    esac\n"
                             "}\n"
                             "_cistern \"$@\"\n");
}

static void fish_option(cli *c, const cli_option *o, const char *verb)
{
    term_stream_put(&c->out, "complete -c cistern");
    if (verb)
        term_stream_printf(&c->out, " -n '__fish_seen_subcommand_from %s'", verb);
    term_stream_printf(&c->out, " -l %s", o->name);
    if (o->letter)
        term_stream_printf(&c->out, " -s %c", o->letter);
    if (o->argument)
        term_stream_put(&c->out, " -r");
    term_stream_put(&c->out, " -d '");
    put_quoted(c, o->help, "\\'", false);
    term_stream_put(&c->out, "'\n");
}

static void fish(cli *c)
{
    term_stream_put(&c->out, "# fish completion of cistern\n");
    for (const cli_verb *const *v = cli_verbs; *v; v++) {
        term_stream_printf(&c->out, "complete -c cistern -f -n __fish_use_subcommand -a %s -d '", (*v)->name);
        put_quoted(c, (*v)->summary, "\\'", false);
        term_stream_put(&c->out, "'\n");
        for (const cli_option *o = (*v)->options; o && o->name; o++)
            fish_option(c, o, (*v)->name);
    }
    term_stream_put(
        &c->out, "complete -c cistern -f -n '__fish_seen_subcommand_from completion' -a 'bash zsh fish'\n");
    for (const cli_option *o = cli_options_common; o->name; o++)
        fish_option(c, o, NULL);
}

static int run(cli *c, const void *values, int count, char **arguments)
{
    static const struct {
        const char *shell;
        void (*write)(cli *c);
    } shells[] = {{"bash", bash}, {"zsh", zsh}, {"fish", fish}};
    (void)values;
    (void)count;
    for (size_t i = 0; i < sizeof shells / sizeof shells[0]; i++) {
        if (strcmp(arguments[0], shells[i].shell) == 0) {
            shells[i].write(c);
            return 0;
        }
    }
    return cli_usage(c, "no completion for '%s'; there is bash, zsh and fish", arguments[0]);
}

const cli_verb cmd_completion = {
    .name = "completion",
    .arguments = "SHELL",
    .summary = "print a completion script for bash, zsh or fish",
    .about = "Print a script that completes verbs and options in bash, zsh or fish.",
    .examples = examples,
    .least = 1,
    .most = 1,
    .run = run,
};
