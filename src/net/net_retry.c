/* Trying again; see net_retry.h. */
#include "net_retry.h"
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include "base_host.h"

#define SLEEP_MS 50 /* half of what cancelling may take */

void net_retry_init(net_retry *retry, const net_options *options)
{
    *retry = (net_retry){.options = options};
}

/* A number from 0 to 255; without randomness the middle. */
static unsigned random_byte(void)
{
    char hex[3];
    unsigned byte = 128;
    if (base_random_hex(1, hex, NULL) == CISTERN_OK)
        byte = (unsigned)strtoul(hex, NULL, 16);
    return byte;
}

/* Doubling, plus or minus half at random, so that many who failed together do not come back together. */
static uint64_t backoff_ms(const net_retry *retry)
{
    const net_options *options = retry->options;
    uint64_t wait = options->backoff_first_ms;
    for (unsigned i = 1; i < retry->failed && wait < options->backoff_max_ms; i++)
        wait *= 2;
    wait = wait / 2 + wait * random_byte() / 255;
    return wait < options->backoff_max_ms ? wait : options->backoff_max_ms;
}

static cistern_status sleep_ms(uint64_t ms, const base_run *run, cistern_error *err)
{
    uint64_t start = base_monotonic_ms();
    cistern_status status = CISTERN_OK;
    for (uint64_t gone = 0; status == CISTERN_OK && gone < ms; gone = base_monotonic_ms() - start) {
        base_sleep_ms(ms - gone < SLEEP_MS ? (unsigned)(ms - gone) : SLEEP_MS);
        status = base_check_cancel(run != NULL ? run->cancel : NULL, err);
    }
    return status;
}

static void log_wait(const net_retry *retry, uint64_t wait, const base_run *run, const cistern_error *err)
{
    char text[CISTERN_ERROR_TEXT_MAX];
    if (run == NULL || run->log == NULL)
        return;
    cistern_error_format(err, text, sizeof text);
    base_log_line(run->log, 1, "%s; trying again in %" PRIu64 ".%" PRIu64 " s (try %u of %u)",
                  text[0] != '\0' ? text : "the transfer failed", wait / 1000, wait % 1000 / 100,
                  retry->failed + 1, retry->options->tries);
}

cistern_status net_retry_wait(net_retry *retry, cistern_status status, const net_answer *answer,
                              const base_run *run, cistern_error *err)
{
    const net_options *options = retry->options;
    if (!answer->transient)
        return status;
    bool further = answer->received > 0 && answer->reached > retry->reached;
    if (further)
        retry->reached = answer->reached;
    retry->failed = further ? 1 : retry->failed + 1;
    if (retry->failed >= options->tries)
        return options->tries > 1 ? base_frame(err, status, "given up after %u tries", retry->failed)
                                  : status;
    if (answer->retry_after_s > options->retry_after_max_s)
        return base_frame(err, status,
                          "given up, since the server asks to wait %u s, and at most %u s are waited",
                          answer->retry_after_s, options->retry_after_max_s);
    uint64_t wait = backoff_ms(retry), wished = (uint64_t)answer->retry_after_s * 1000;
    if (wished > wait)
        wait = wished;
    log_wait(retry, wait, run, err);
    cistern_status slept = sleep_ms(wait, run, err);
    if (slept == CISTERN_OK)
        base_error_clear(err);
    return slept;
}

cistern_status net_retry_stat(net_source *src, const base_run *run, net_answer *out, cistern_error *err)
{
    net_retry retry;
    net_retry_init(&retry, src->options);
    for (;;) {
        cistern_status status = net_source_stat(src, run, out, err);
        if (status == CISTERN_OK)
            return status;
        status = net_retry_wait(&retry, status, out, run, err);
        if (status != CISTERN_OK)
            return status;
    }
}

cistern_status net_retry_revalidate(net_source *src, const char *etag, const char *last_modified,
                                    const base_run *run, net_answer *out, cistern_error *err)
{
    net_retry retry;
    net_retry_init(&retry, src->options);
    for (;;) {
        cistern_status status = net_source_revalidate(src, etag, last_modified, run, out, err);
        if (status == CISTERN_OK)
            return status;
        status = net_retry_wait(&retry, status, out, run, err);
        if (status != CISTERN_OK)
            return status;
    }
}

static cistern_status put_document(void *user, const void *bytes, size_t n, cistern_error *err)
{
    return base_buf_put(user, bytes, n, err);
}

cistern_status net_retry_document(net_source *src, base_buf *out, const base_run *run, net_answer *answer,
                                  cistern_error *err)
{
    net_retry retry;
    net_retry_init(&retry, src->options);
    for (;;) {
        base_buf_clear(out);
        cistern_status status = net_source_read(src, NULL, NULL, put_document, out, run, answer, err);
        if (status == CISTERN_OK)
            return status;
        status = net_retry_wait(&retry, status, answer, run, err);
        if (status != CISTERN_OK)
            return status;
    }
}
