/* Options: one table of names, kinds, defaults and limits; values as texts with where they came from.
 *
 * Invariants
 *  1. A value that stands was checked when it was set: reading it back cannot fail.
 *  2. The environment and files are read in cistern_options_load only, weakest source first, and never replace a flag.
 *     What AWS's tools read there (AWS_*) is weaker than CISTERN_* and stronger than files.
 *  3. A credential is never shown, not even in part.
 */
#include <cistern/context.h>

#include <ctype.h>
#include <ini.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base_buf.h"
#include "base_file.h"
#include "base_json.h"
#include "base_mem.h"
#include "priv/api_mirrors.h"
#include "priv/api_options.h"

#define CONFIG_FILE_MAX (1u << 20) /* bytes */
#define SYSTEM_CONFIG   "/etc/cistern/config.ini"
#define FOREVER         "forever"
#define SOURCE_DEFAULT  "default"
#define SOURCE_FLAG     "flag"
#define SECTION_MIRROR  "mirror"
#define INI_LINE_MAX    198 /* bytes: what is longer libinih cuts (INI_MAX_LINE, with line end and zero) */

typedef enum option_kind {
    OPTION_TEXT,
    OPTION_SWITCH,
    OPTION_NUMBER,
    OPTION_WAIT,
    OPTION_DURATION,  /* seconds; or a number with s, m, h or d behind it */
    OPTION_SECRET,    /* a URL that may hold a password */
    OPTION_CREDENTIAL /* a secret as a whole */
} option_kind;

typedef struct option_row {
    const char *name;
    option_kind kind;
    const char *value; /* default; "" : none, or made from the environment */
    unsigned long least, most;
} option_row;

static const option_row option_table[] = {
    {"store", OPTION_TEXT, "", 0, 0},
    {"offline", OPTION_SWITCH, "no", 0, 0},
    {"wait", OPTION_WAIT, FOREVER, 0, 31536000},
    {"ca", OPTION_TEXT, "", 0, 0},
    {"proxy", OPTION_SECRET, "", 0, 0},
    {"no-proxy", OPTION_TEXT, "", 0, 0},
    {"tries", OPTION_NUMBER, "5", 1, 100},
    {"connect-timeout", OPTION_NUMBER, "10", 1, 3600},
    {"low-speed-limit", OPTION_NUMBER, "1024", 0, 1000000000},
    {"low-speed-time", OPTION_NUMBER, "30", 0, 3600},
    {"parallel", OPTION_NUMBER, "4", 1, 16},
    {"threads", OPTION_NUMBER, "0", 0, 256},
    {"isa", OPTION_TEXT, "auto", 0, 0},
    {"import-program", OPTION_TEXT, "", 0, 0},
    {"state", OPTION_TEXT, "", 0, 0},
    {"cache", OPTION_TEXT, "", 0, 0},
    {"s3-endpoint", OPTION_TEXT, "", 0, 0},
    {"s3-region", OPTION_TEXT, "", 0, 0},
    {"s3-profile", OPTION_TEXT, "", 0, 0},
    {"s3-addressing", OPTION_TEXT, "", 0, 0},
    {"s3-anonymous", OPTION_SWITCH, "no", 0, 0},
    {"s3-requester-pays", OPTION_SWITCH, "no", 0, 0},
    {"s3-config-file", OPTION_TEXT, "", 0, 0},
    {"s3-credentials-file", OPTION_TEXT, "", 0, 0},
    {"s3-access-key-id", OPTION_CREDENTIAL, "", 0, 0},
    {"s3-secret-access-key", OPTION_CREDENTIAL, "", 0, 0},
    {"s3-session-token", OPTION_CREDENTIAL, "", 0, 0},
    {"torch-home", OPTION_TEXT, "", 0, 0},
    {"keras-home", OPTION_TEXT, "", 0, 0},
    {"netrc", OPTION_TEXT, "", 0, 0},
    {"headers-file", OPTION_TEXT, "", 0, 0},
    {"keep-removed", OPTION_DURATION, "7d", 0, 3153600000},
    {"keep-partial", OPTION_DURATION, "7d", 0, 3153600000},
};
#define OPTION_COUNT (sizeof option_table / sizeof option_table[0])

struct cistern_options {
    char *value[OPTION_COUNT];
    char *source[OPTION_COUNT];
    api_mirrors mirrors;
    cistern_log_fn log_fn;
    void *log_user;
};

static int option_find(const char *name)
{
    for (size_t i = 0; i < OPTION_COUNT; i++) {
        if (strcmp(option_table[i].name, name) == 0)
            return (int)i;
    }
    return -1;
}

static bool number_parse(const char *text, unsigned long *out)
{
    unsigned long value = 0;
    if (!*text)
        return false;
    for (; *text; text++) {
        if (!isdigit((unsigned char)*text) || value > 1000000000000ul)
            return false;
        value = value * 10 + (unsigned long)(*text - '0');
    }
    *out = value;
    return true;
}

static bool duration_parse(const char *text, unsigned long *out)
{
    static const char units[] = "smhd";
    static const unsigned long seconds[] = {1, 60, 3600, 86400};
    char digits[16];
    size_t n = strspn(text, "0123456789");
    const char *unit = text[n] ? strchr(units, text[n]) : units;
    if (n == 0 || n >= sizeof digits || !unit || (text[n] && text[n + 1]))
        return false;
    memcpy(digits, text, n);
    digits[n] = 0;
    if (!number_parse(digits, out))
        return false;
    *out *= seconds[unit - units];
    return true;
}

static bool switch_parse(const char *text, bool *out)
{
    static const char *const yes[] = {"yes", "true", "on", "1"}, *const no[] = {"no", "false", "off", "0",
                                                                                ""};
    for (size_t i = 0; i < sizeof yes / sizeof yes[0]; i++) {
        if (strcmp(text, yes[i]) == 0) {
            *out = true;
            return true;
        }
    }
    for (size_t i = 0; i < sizeof no / sizeof no[0]; i++) {
        if (strcmp(text, no[i]) == 0) {
            *out = false;
            return true;
        }
    }
    return false;
}

static cistern_status value_check(const option_row *row, const char *value, cistern_error *err)
{
    unsigned long number;
    bool flag;
    if (row->kind == OPTION_SWITCH && !switch_parse(value, &flag))
        return base_fail(err, CISTERN_USAGE, "'%s' is '%s': yes or no is expected", row->name, value);
    if (row->kind == OPTION_WAIT && strcmp(value, FOREVER) == 0)
        return CISTERN_OK;
    if (row->kind == OPTION_DURATION &&
        (!duration_parse(value, &number) || number < row->least || number > row->most))
        return base_fail(err, CISTERN_USAGE,
                         "'%s' is '%s': a duration is expected, such as 90, 30m, 12h or 7d (at most %lu d)",
                         row->name, value, row->most / 86400);
    if ((row->kind == OPTION_NUMBER || row->kind == OPTION_WAIT) &&
        (!number_parse(value, &number) || number < row->least || number > row->most))
        return base_fail(err, CISTERN_USAGE, "'%s' is '%s': a number from %lu to %lu%s is expected",
                         row->name, value, row->least, row->most,
                         row->kind == OPTION_WAIT ? " or '" FOREVER "'" : "");
    return CISTERN_OK;
}

static cistern_status value_put(cistern_options *o, int i, const char *value, const char *source,
                                cistern_error *err)
{
    char *value_copy = NULL, *source_copy = NULL;
    cistern_status st = value_check(&option_table[i], value, err);
    if (st == CISTERN_OK)
        st = base_strdup(value, &value_copy, err);
    if (st == CISTERN_OK)
        st = base_strdup(source, &source_copy, err);
    if (st != CISTERN_OK) {
        free(value_copy);
        return st;
    }
    free(o->value[i]);
    free(o->source[i]);
    o->value[i] = value_copy;
    o->source[i] = source_copy;
    return CISTERN_OK;
}

cistern_status cistern_options_new(cistern_options **out, cistern_error *err)
{
    cistern_options *o = NULL;
    cistern_status st = base_calloc(1, sizeof *o, &o, err);
    for (size_t i = 0; st == CISTERN_OK && i < OPTION_COUNT; i++)
        st = value_put(o, (int)i, option_table[i].value, SOURCE_DEFAULT, err);
    if (st != CISTERN_OK) {
        cistern_options_free(o);
        return st;
    }
    *out = o;
    return CISTERN_OK;
}

void cistern_options_free(cistern_options *o)
{
    if (!o)
        return;
    for (size_t i = 0; i < OPTION_COUNT; i++) {
        free(o->value[i]);
        free(o->source[i]);
    }
    api_mirrors_clear(&o->mirrors);
    free(o);
}

cistern_status cistern_options_set(cistern_options *o, const char *name, const char *value,
                                   cistern_error *err)
{
    int i = option_find(name);
    if (strcmp(name, SECTION_MIRROR) == 0)
        return api_mirrors_put_line(&o->mirrors, value, SOURCE_FLAG, SOURCE_FLAG, err);
    if (i < 0)
        return base_fail(err, CISTERN_USAGE, "there is no option '%s'", name);
    return value_put(o, i, value, SOURCE_FLAG, err);
}

/* A weaker source: does not replace a flag. */
static cistern_status value_load(cistern_options *o, int i, const char *value, const char *source,
                                 cistern_error *err)
{
    return strcmp(o->source[i], SOURCE_FLAG) == 0 ? CISTERN_OK : value_put(o, i, value, source, err);
}

typedef struct ini_reading {
    cistern_options *options;
    const char *path;
    const char *at;  /* what is not read yet */
    unsigned number; /* of the line that was read last, from 1 */
    char *source;    /* "PATH:NUMBER" of the line that is told just now */
    cistern_error *err;
    cistern_status status;
} ini_reading;

/* libinih takes the first of "=" and ":" for the end of the name, which in a URL is behind its scheme. */
static cistern_status load_mirror(ini_reading *reading, const char *name, const char *value)
{
    char *line = NULL;
    bool scheme = strncmp(value, "//", 2) == 0;
    cistern_status st = base_asprintf(&line, reading->err, "%s%s%s", name, scheme ? ":" : " = ", value);
    if (st == CISTERN_OK)
        st = api_mirrors_put_line(&reading->options->mirrors, line, reading->source, SOURCE_FLAG,
                                  reading->err);
    free(line);
    return st;
}

static int ini_line(void *user, const char *section, const char *name, const char *value)
{
    ini_reading *reading = user;
    int i = option_find(name);
    free(reading->source);
    reading->source = NULL;
    reading->status = base_asprintf(&reading->source, reading->err, "%s:%u", reading->path, reading->number);
    if (reading->status != CISTERN_OK)
        return 0;
    if (strcmp(section, SECTION_MIRROR) == 0)
        reading->status = load_mirror(reading, name, value);
    else if (section[0] != 0)
        reading->status = base_fail(reading->err, CISTERN_USAGE, "section [%s] is not known", section);
    else if (i < 0)
        reading->status = base_fail(reading->err, CISTERN_USAGE, "there is no option '%s'", name);
    else
        reading->status = value_load(reading->options, i, value, reading->source, reading->err);
    return reading->status == CISTERN_OK;
}

/* What libinih would cut without a word, it and its number are told. */
static cistern_status check_line_lengths(const char *path, const char *text, cistern_error *err)
{
    for (unsigned number = 1; *text; number++) {
        size_t n = strcspn(text, "\n");
        if (n > INI_LINE_MAX) {
            base_fail(err, CISTERN_USAGE, "a line of %zu bytes, at most %d allowed", n, INI_LINE_MAX);
            return base_frame(err, CISTERN_USAGE, "%s:%u", path, number);
        }
        text += n + (text[n] == '\n');
    }
    return CISTERN_OK;
}

/* fgets() over the text, counting: libinih tells its handler no line numbers. */
static char *next_line(char *out, int size, void *user)
{
    ini_reading *reading = user;
    size_t n = strcspn(reading->at, "\n");
    n += reading->at[n] == '\n';
    if (n == 0 || size < 2)
        return NULL;
    n = n < (size_t)size ? n : (size_t)size - 1;
    memcpy(out, reading->at, n);
    out[n] = '\0';
    reading->at += n;
    reading->number++;
    return out;
}

static cistern_status parse(cistern_options *o, const char *path, const char *text, cistern_error *err)
{
    ini_reading reading = {.options = o, .path = path, .at = text, .err = err, .status = CISTERN_OK};
    cistern_status st = check_line_lengths(path, text, err);
    if (st != CISTERN_OK)
        return st;
    int line = ini_parse_stream(next_line, &reading, ini_line, &reading);
    st = reading.status;
    if (line > 0 && st == CISTERN_OK)
        st = base_fail(err, CISTERN_USAGE, "'name = value' is expected");
    free(reading.source);
    return line > 0 ? base_frame(err, st, "%s:%d", path, line) : st;
}

/* One configuration file; an absent one is no error unless it was named. */
static cistern_status load_file(cistern_options *o, const char *path, bool named, cistern_error *err)
{
    base_buf text;
    cistern_status st;
    base_buf_init(&text, CONFIG_FILE_MAX);
    st = base_read_path(path, &text, err);
    if (st == CISTERN_NOT_FOUND && !named) {
        base_error_clear(err);
        return CISTERN_OK;
    }
    if (st == CISTERN_OK && text.len > 0 && strlen(text.data) != text.len)
        st = base_fail(err, CISTERN_USAGE, "holds a zero byte");
    if (st != CISTERN_OK)
        st = base_frame(err, st, "%s", path);
    else if (text.len > 0)
        st = parse(o, path, text.data, err);
    base_buf_clear(&text);
    return st;
}

static cistern_status load_environment(cistern_options *o, cistern_error *err)
{
    cistern_status st = CISTERN_OK;
    for (size_t i = 0; st == CISTERN_OK && i < OPTION_COUNT; i++) {
        char name[64] = "CISTERN_", source[96];
        const char *value;
        size_t n = strlen(name);
        for (const char *p = option_table[i].name; *p; p++)
            name[n++] = *p == '-' ? '_' : (char)toupper((unsigned char)*p);
        name[n] = 0;
        value = getenv(name);
        snprintf(source, sizeof source, "environment %s", name);
        if (value && value[0])
            st = value_load(o, (int)i, value, source, err);
        if (st != CISTERN_OK)
            st = base_frame(err, st, "%s", source);
    }
    return st;
}

#define AWS_SOURCE "environment AWS_"

/* The variables of AWS's tools, weakest first. */
static const struct {
    const char *variable, *option;
} aws_table[] = {
    {"AWS_DEFAULT_REGION", "s3-region"},        {"AWS_REGION", "s3-region"},
    {"AWS_ENDPOINT_URL", "s3-endpoint"},        {"AWS_ENDPOINT_URL_S3", "s3-endpoint"},
    {"AWS_DEFAULT_PROFILE", "s3-profile"},      {"AWS_PROFILE", "s3-profile"},
    {"AWS_CONFIG_FILE", "s3-config-file"},      {"AWS_SHARED_CREDENTIALS_FILE", "s3-credentials-file"},
    {"AWS_ACCESS_KEY_ID", "s3-access-key-id"},  {"AWS_SECRET_ACCESS_KEY", "s3-secret-access-key"},
    {"AWS_SECURITY_TOKEN", "s3-session-token"}, {"AWS_SESSION_TOKEN", "s3-session-token"},
};

/* "~/…" as AWS's tools take it. */
static cistern_status expand_home(const char *path, char **out, cistern_error *err)
{
    const char *home = getenv("HOME");
    bool tilde = path[0] == '~' && path[1] == '/' && home && home[0] == '/';
    return tilde ? base_asprintf(out, err, "%s%s", home, path + 1) : base_strdup(path, out, err);
}

static cistern_status load_aws_variable(cistern_options *o, const char *variable, const char *option,
                                        cistern_error *err)
{
    const char *given = getenv(variable);
    char source[96];
    char *value = NULL;
    cistern_status st;
    if (!given || !given[0])
        return CISTERN_OK;
    snprintf(source, sizeof source, "environment %s", variable);
    st = expand_home(given, &value, err);
    if (st == CISTERN_OK)
        st = value_load(o, option_find(option), value, source, err);
    free(value);
    return st == CISTERN_OK ? st : base_frame(err, st, "%s", source);
}

/* A file of AWS's tools where nothing else was said. */
static cistern_status load_aws_file(cistern_options *o, const char *option, const char *path,
                                    cistern_error *err)
{
    const char *home = getenv("HOME");
    int i = option_find(option);
    char *value = NULL;
    cistern_status st = CISTERN_OK;
    if (o->value[i][0] || !home || home[0] != '/')
        return CISTERN_OK;
    st = base_asprintf(&value, err, "%s%s", home, path);
    if (st == CISTERN_OK)
        st = value_put(o, i, value, SOURCE_DEFAULT, err);
    free(value);
    return st;
}

static cistern_status load_aws(cistern_options *o, cistern_error *err)
{
    const char *id = getenv("AWS_ACCESS_KEY_ID");
    cistern_status st = CISTERN_OK;
    if (id && id[0]) { /* a key goes with its own secret and token, not with those of a weaker source */
        st = value_load(o, option_find("s3-secret-access-key"), "", SOURCE_DEFAULT, err);
        if (st == CISTERN_OK)
            st = value_load(o, option_find("s3-session-token"), "", SOURCE_DEFAULT, err);
    }
    for (size_t i = 0; st == CISTERN_OK && i < sizeof aws_table / sizeof aws_table[0]; i++)
        st = load_aws_variable(o, aws_table[i].variable, aws_table[i].option, err);
    if (st == CISTERN_OK)
        st = load_aws_file(o, "s3-config-file", "/.aws/config", err);
    if (st == CISTERN_OK)
        st = load_aws_file(o, "s3-credentials-file", "/.aws/credentials", err);
    return st;
}

/* "$VARIABLE/cistern<tail>", or "$HOME/<fallback>/cistern<tail>"; NULL without either. The specification of base
 * directories wants absolute paths; relative ones are ignored. */
static cistern_status base_directory(const char *variable, const char *fallback, const char *tail, char **out,
                                     cistern_error *err)
{
    const char *dir = getenv(variable), *home = getenv("HOME");
    *out = NULL;
    if (dir && dir[0] == '/')
        return base_asprintf(out, err, "%s/cistern%s", dir, tail);
    if (home && home[0] == '/')
        return base_asprintf(out, err, "%s/%s/cistern%s", home, fallback, tail);
    return CISTERN_OK;
}

/* A default that rests on the environment, unless something stronger was set. */
static cistern_status load_directory(cistern_options *o, const char *name, const char *variable,
                                     const char *fallback, cistern_error *err)
{
    int i = option_find(name);
    char *path = NULL;
    cistern_status st = CISTERN_OK;
    if (o->value[i][0] == 0)
        st = base_directory(variable, fallback, "", &path, err);
    if (st == CISTERN_OK && path)
        st = value_put(o, i, path, SOURCE_DEFAULT, err);
    free(path);
    return st;
}

/* Where another tool looks, unless something was said: its own variable, else below a directory for caches, or HOME. */
static cistern_status load_tool_home(cistern_options *o, const char *name, const char *variable,
                                     const char *in_cache, const char *in_home, cistern_error *err)
{
    const char *own = getenv(variable), *cache = in_cache ? getenv("XDG_CACHE_HOME") : NULL,
               *home = getenv("HOME");
    char source[64] = SOURCE_DEFAULT;
    int i = option_find(name);
    char *path = NULL;
    cistern_status st = CISTERN_OK;
    if (o->value[i][0])
        return CISTERN_OK;
    if (own && own[0]) {
        st = expand_home(own, &path, err);
        snprintf(source, sizeof source, "environment %s", variable);
    } else if (cache && cache[0]) {
        st = base_asprintf(&path, err, "%s/%s", cache, in_cache);
    } else if (home && home[0]) {
        st = base_asprintf(&path, err, "%s/%s", home, in_home);
    }
    if (st == CISTERN_OK && path)
        st = value_put(o, i, path, source, err);
    free(path);
    return st;
}

cistern_status cistern_options_load(cistern_options *o, cistern_error *err)
{
    const char *named = getenv("CISTERN_CONFIG");
    char *user = NULL;
    cistern_status st = load_file(o, SYSTEM_CONFIG, false, err);
    if (st == CISTERN_OK && !(named && named[0]))
        st = base_directory("XDG_CONFIG_HOME", ".config", "/config.ini", &user, err);
    if (st == CISTERN_OK && named && named[0])
        st = load_file(o, named, true, err);
    else if (st == CISTERN_OK && user)
        st = load_file(o, user, false, err);
    free(user);
    if (st == CISTERN_OK)
        st = load_aws(o, err);
    if (st == CISTERN_OK)
        st = load_environment(o, err);
    if (st == CISTERN_OK)
        st = load_directory(o, "store", "XDG_DATA_HOME", ".local/share", err);
    if (st == CISTERN_OK)
        st = load_directory(o, "state", "XDG_STATE_HOME", ".local/state", err);
    if (st == CISTERN_OK)
        st = load_directory(o, "cache", "XDG_CACHE_HOME", ".cache", err);
    if (st == CISTERN_OK)
        st = load_tool_home(o, "torch-home", "TORCH_HOME", "torch", ".cache/torch", err);
    if (st == CISTERN_OK)
        st = load_tool_home(o, "keras-home", "KERAS_HOME", NULL, ".keras", err);
    return st;
}

static bool hidden(const option_row *row, const char *value)
{
    return row->kind == OPTION_CREDENTIAL ? value[0] != 0
                                          : row->kind == OPTION_SECRET && strchr(value, '@') != NULL;
}

int cistern_options_peek(const cistern_options *o, size_t i, const char **name, const char **value,
                         const char **source)
{
    if (i >= OPTION_COUNT)
        return api_mirrors_peek(&o->mirrors, i - OPTION_COUNT, name, value, source);
    *name = option_table[i].name;
    *value = hidden(&option_table[i], o->value[i]) ? "***" : o->value[i];
    *source = o->source[i];
    return 1;
}

void cistern_options_set_log(cistern_options *o, cistern_log_fn fn, void *user)
{
    o->log_fn = fn;
    o->log_user = user;
}

const char *api_options_text(const cistern_options *o, const char *name)
{
    return o->value[option_find(name)];
}

unsigned long api_options_number(const cistern_options *o, const char *name)
{
    unsigned long value = 0;
    (void)number_parse(api_options_text(o, name), &value);
    return value;
}

unsigned long api_options_seconds(const cistern_options *o, const char *name)
{
    unsigned long value = 0;
    (void)duration_parse(api_options_text(o, name), &value);
    return value;
}

void api_options_log(const cistern_options *o, cistern_log_fn *fn, void **user)
{
    *fn = o->log_fn;
    *user = o->log_user;
}

static const char *text_or_null(const cistern_options *o, const char *name)
{
    const char *value = api_options_text(o, name);
    return value[0] ? value : NULL;
}

static bool switch_of(const cistern_options *o, const char *name)
{
    bool on = false;
    (void)switch_parse(api_options_text(o, name), &on);
    return on;
}

/* A profile that was named on purpose wins over keys that only lie in the environment. */
static bool profile_first(const cistern_options *o)
{
    return strncmp(o->source[option_find("s3-profile")], AWS_SOURCE, strlen(AWS_SOURCE)) != 0 &&
           api_options_text(o, "s3-profile")[0] &&
           strncmp(o->source[option_find("s3-access-key-id")], AWS_SOURCE, strlen(AWS_SOURCE)) == 0;
}

static void fill_s3(const cistern_options *o, cloud_s3_options *out)
{
    out->access_key_id = api_options_text(o, "s3-access-key-id");
    out->secret_access_key = api_options_text(o, "s3-secret-access-key");
    out->session_token = api_options_text(o, "s3-session-token");
    out->profile = api_options_text(o, "s3-profile");
    out->profile_first = profile_first(o);
    out->region = api_options_text(o, "s3-region");
    out->endpoint = api_options_text(o, "s3-endpoint");
    out->addressing = api_options_text(o, "s3-addressing");
    out->config_file = api_options_text(o, "s3-config-file");
    out->credentials_file = api_options_text(o, "s3-credentials-file");
    out->anonymous = switch_of(o, "s3-anonymous");
    out->requester_pays = switch_of(o, "s3-requester-pays");
}

void api_options_chain(const cistern_options *o, tiers_options *out)
{
    out->store_path = api_options_text(o, "store");
    out->state_path = text_or_null(o, "state");
    out->cache_path = text_or_null(o, "cache");
    out->offline = switch_of(o, "offline");
    out->wait_ms = strcmp(api_options_text(o, "wait"), FOREVER) == 0
                       ? STORE_WAIT_FOREVER
                       : (uint64_t)api_options_number(o, "wait") * 1000;
    out->parallel = (unsigned)api_options_number(o, "parallel");
    out->net.ca_file = text_or_null(o, "ca");
    out->net.proxy = text_or_null(o, "proxy");
    out->net.no_proxy = text_or_null(o, "no-proxy");
    out->net.tries = (unsigned)api_options_number(o, "tries");
    out->net.connect_timeout_ms = (unsigned)api_options_number(o, "connect-timeout") * 1000;
    out->net.low_speed_bytes = (unsigned)api_options_number(o, "low-speed-limit");
    out->net.low_speed_seconds = (unsigned)api_options_number(o, "low-speed-time");
    out->net.netrc_file = text_or_null(o, "netrc");
    out->net.headers_file = text_or_null(o, "headers-file");
    out->net.mirrors = o->mirrors.pairs;
    out->net.mirror_count = o->mirrors.count;
    out->net.user_agent = "cistern/" CISTERN_VERSION_TEXT;
    fill_s3(o, &out->cloud.s3);
}
