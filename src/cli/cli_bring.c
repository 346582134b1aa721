/* Telling what a pull or an add did: see cli_bring.h. */
#include "cli_bring.h"
#include "cli_show.h"
#include "term_units.h"
#include <stdio.h>
#include <string.h>

cistern_pull_options cli_bring_declared(const cli_facts *facts)
{
    cistern_pull_options o = CISTERN_PULL_OPTIONS_INIT;
    o.architecture = facts->arch;
    o.preprocess = facts->preprocess;
    o.labels = facts->labels;
    o.config = facts->config;
    o.bn_epsilon = facts->bn_epsilon;
    o.data_format = facts->data_format;
    return o;
}

const char *cli_bring_outcome(cistern_pull_outcome outcome)
{
    switch (outcome) {
    case CISTERN_PULL_HIT:
        return "hit";
    case CISTERN_PULL_FETCHED:
        return "fetched";
    case CISTERN_PULL_UNCHANGED:
        return "unchanged";
    case CISTERN_PULL_RECORDED:
        return "recorded";
    case CISTERN_PULL_SAME:
        return "same";
    }
    return "unknown";
}

static void note_fetched(cli *c, const char *done, const char *which, const cistern_version *v,
                         const cistern_pull_result *result, uint64_t elapsed_ms)
{
    char size[TERM_UNITS_MAX], took[TERM_UNITS_MAX], resumed[TERM_UNITS_MAX], rest[96] = "";
    term_units_bytes(cistern_version_bytes(v), size);
    term_units_duration(elapsed_ms, took);
    if (result->bytes_resumed) {
        term_units_bytes(result->bytes_resumed, resumed);
        snprintf(rest, sizeof rest, " (%s of it were here from an interrupted fetch)", resumed);
    }
    cli_note(c, "%s %s, %s in %s%s", which, done, size, took, rest);
}

static void note_outcome(cli *c, const char *done, const cistern_version *v,
                         const cistern_pull_result *result, uint64_t elapsed_ms)
{
    char which[300];
    snprintf(which, sizeof which, "%s:%s", cistern_version_name(v), cistern_version_tag(v));
    unsigned long long requests = (unsigned long long)result->requests;
    switch (result->outcome) {
    case CISTERN_PULL_HIT:
        if (requests == 0)
            cli_note(c, "%s is here already; no request was made", which);
        else
            cli_note(c, "%s is here already; %llu requests", which, requests);
        break;
    case CISTERN_PULL_FETCHED:
        note_fetched(c, done, which, v, result, elapsed_ms);
        break;
    case CISTERN_PULL_UNCHANGED:
        cli_note(c, "%s is what its origin has; nothing was transferred", which);
        break;
    case CISTERN_PULL_RECORDED:
        cli_note(c, "%s recorded; its bytes were here already", which);
        break;
    case CISTERN_PULL_SAME:
        cli_note(c, "%s has the same bytes; there is no new version", which);
        break;
    }
    if (result->note && result->note[0])
        cli_note(c, "%s", result->note);
}

/* A fact and how it is known: "imagenet-1k (published table)"; of a file only its name: "config.json". */
static void fact_text(const char *value, const char *source, char *out, size_t size)
{
    bool known = source && source[0] && strcmp(source, "none") != 0;
    if (!value || !value[0])
        snprintf(out, size, "none");
    else if (known && strcmp(value, "config") == 0)
        snprintf(out, size, "%s", source);
    else if (known && strcmp(value, "file") == 0 && strcmp(source, "file") == 0)
        snprintf(out, size, "the file's own");
    else
        snprintf(out, size, "%s%s%s%s", value, known ? " (" : "", known ? source : "", known ? ")" : "");
}

/* What the model was taken for, when it is new. */
static void note_facts(cli *c, const cistern_version *v)
{
    cistern_facts facts = {.size = sizeof facts};
    char classes[32] = "", labels[128], preprocessing[128];
    cistern_version_facts(v, &facts);
    if (!facts.architecture || strcmp(facts.architecture, "unknown") == 0)
        return; /* the warning has said so */
    if (facts.classes)
        snprintf(classes, sizeof classes, ", %u classes", (unsigned)facts.classes);
    fact_text(facts.label_set, facts.labels_source, labels, sizeof labels);
    fact_text(facts.preset, facts.preprocess_source, preprocessing, sizeof preprocessing);
    cli_note(c, "  %s%s, input %ux%u, labels: %s, preprocessing: %s", facts.architecture, classes,
             (unsigned)facts.input_height, (unsigned)facts.input_width, labels, preprocessing);
}

/* What is known of bytes that many people have. */
static void note_published(cli *c, const cistern_version *v)
{
    cistern_published p = {.size = sizeof p};
    char accuracy[64] = "";
    if (!cistern_version_published(v, &p))
        return;
    bool known = cli_show_accuracy(&p, accuracy, sizeof accuracy);
    cli_note(c, "  %s %s %s%s%s, licence %s", p.publisher, p.model, p.weights, known ? ", accuracy " : "",
             accuracy, p.licence);
}

static void put_json(cli *c, const cistern_version *v, const cistern_pull_result *result)
{
    term_json j;
    term_json_init(&j, &c->out);
    term_json_object(&j, NULL);
    term_json_text(&j, "reference", cistern_version_reference(v));
    term_json_text(&j, "name", cistern_version_name(v));
    term_json_text(&j, "tag", cistern_version_tag(v));
    term_json_text(&j, "digest", cistern_version_digest(v));
    term_json_u64(&j, "bytes", cistern_version_bytes(v));
    term_json_text(&j, "outcome", cli_bring_outcome(result->outcome));
    term_json_u64(&j, "requests", result->requests);
    term_json_u64(&j, "bytes_received", result->bytes_received);
    term_json_u64(&j, "bytes_resumed", result->bytes_resumed);
    term_json_text_or_null(&j, "note", result->note);
    term_json_end(&j);
}

void cli_bring_report(cli *c, const char *done, const cistern_version *version,
                      const cistern_pull_result *result, uint64_t elapsed_ms)
{
    note_outcome(c, done, version, result, elapsed_ms);
    if (result->outcome == CISTERN_PULL_FETCHED || result->outcome == CISTERN_PULL_RECORDED)
        note_facts(c, version);
    if (result->outcome == CISTERN_PULL_FETCHED || result->outcome == CISTERN_PULL_RECORDED)
        note_published(c, version);
    if (c->json) {
        put_json(c, version, result);
    } else {
        term_stream_put_text(&c->out, cistern_version_reference(version));
        term_stream_put(&c->out, "\n");
    }
}
