/* Reading a config.json: HEAD, then GET, so that a server's error page is not taken for one. */
#include "tiers_config.h"

#include <string.h>
#include "net_retry.h"

/* The document behind an address into buf. */
static cistern_status read_document(tiers *t, const origin_address *address, const base_run *run,
                                    base_buf *buf, cistern_error *err)
{
    net_source *source = NULL;
    net_answer answer = {0};
    cistern_status st;
    if (origin_address_kind(address) != ORIGIN_FILE && tiers_offline(t))
        return base_fail(err, CISTERN_OFFLINE, "%s: no request is made offline",
                         origin_address_shown(address));
    st = origin_address_source(address, tiers_access(t), &source, err);
    if (st == CISTERN_OK)
        st = net_source_stat(source, run, &answer, err);
    if (st == CISTERN_OK && answer.stat.size_known && answer.stat.size > TIERS_CONFIG_MAX)
        st = base_fail(err, CISTERN_DAMAGED, "%s: %llu bytes, at most %u allowed",
                       origin_address_shown(address), (unsigned long long)answer.stat.size, TIERS_CONFIG_MAX);
    if (st == CISTERN_OK)
        st = net_retry_document(source, buf, run, &answer, err);
    net_source_free(source);
    if (st == CISTERN_OK && origin_address_kind(address) != ORIGIN_FILE)
        tiers_add_received(t, buf->len);
    return st;
}

static cistern_status read_named(tiers *t, const char *spec, const base_run *run, model_facts *facts,
                                 cistern_error *err)
{
    origin_address *address = NULL;
    base_buf buf;
    bool used = false;
    cistern_status st = origin_address_parse(spec, &address, err);
    base_buf_init(&buf, TIERS_CONFIG_MAX);
    if (st == CISTERN_OK)
        st = read_document(t, address, run, &buf, err);
    if (st == CISTERN_OK)
        st = model_facts_from_config(facts, buf.data ? buf.data : "", buf.len, &used, err);
    if (st == CISTERN_OK && !used)
        st = base_fail(err, CISTERN_USAGE,
                       "%s: not a JSON object with 'architecture', 'pretrained_cfg' or 'mean'", spec);
    base_buf_clear(&buf);
    origin_address_free(address);
    return st == CISTERN_OK ? st : base_frame(err, st, "--config");
}

/* Failures that are nobody's wish to know: there simply is no config. */
static cistern_status read_beside(tiers *t, const origin_address *weights, const base_run *run,
                                  model_facts *facts, cistern_error *err)
{
    origin_address *address = NULL;
    model_facts copy;
    cistern_error why = CISTERN_ERROR_INIT;
    base_buf buf;
    bool used = false;
    cistern_status st = origin_address_config(weights, &address, &why);
    if (st == CISTERN_OK && !address)
        return CISTERN_OK;
    base_buf_init(&buf, TIERS_CONFIG_MAX);
    model_facts_init(&copy);
    if (st == CISTERN_OK)
        st = read_document(t, address, run, &buf, &why);
    if (st == CISTERN_OK)
        st = model_facts_copy(facts, &copy, &why);
    if (st == CISTERN_OK)
        st = model_facts_from_config(&copy, buf.data ? buf.data : "", buf.len, &used, &why);
    if (st == CISTERN_OK && used) {
        model_facts_clear(facts);
        *facts = copy;
    } else {
        model_facts_clear(&copy);
    }
    if (st == CISTERN_USAGE && run)
        base_log_line(run->log, 0, "%s is ignored: %s; name another with --config",
                      origin_address_shown(address), why.text);
    base_buf_clear(&buf);
    origin_address_free(address);
    if (st != CISTERN_CANCELLED && st != CISTERN_NO_MEMORY)
        return CISTERN_OK;
    if (err)
        *err = why;
    return st;
}

cistern_status tiers_config_read(tiers *t, const char *spec, const origin_address *beside,
                                 const base_run *run, model_facts *facts, cistern_error *err)
{
    if (spec && strcmp(spec, "none") == 0)
        return CISTERN_OK;
    if (spec)
        return read_named(t, spec, run, facts, err);
    return beside ? read_beside(t, beside, run, facts, err) : CISTERN_OK;
}
