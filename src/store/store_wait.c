/* Winning a claim, or waiting for whoever has it.
 *
 *   no claim ──create highest+1──> confirm (nobody higher, nobody unproven lower) ──> won
 *   a claim  ──> its owner is proven dead ─────────────────────────> create n+1, confirm ──> won
 *            ──> its counter stood still for takeover_ms of our clock ──> the same
 *            ──> an outcome appears while we watch: OK "look again", or the failure
 *            ──> the name goes without an outcome: from the start
 *            ──> wait_ms are over: TIMED_OUT
 *
 * Invariants
 *  1. A claim that we did not prove dead or still makes ours void: both withdraw, wait a random while, try again.
 *  2. An outcome counts only for a claim that was seen running: a later call tries afresh.
 *  3. Nothing here touches data: two winners at once cost bytes, not correctness.
 */
#include "priv/store_entry.h"
#include "priv/store_fetch_object.h"
#include "priv/store_object.h"
#include "priv/store_scan.h"
#include "priv/store_ticker.h"
#include "priv/store_wait.h"

#define LOOK_MS 50u /* between two looks at another's claim: two look-ups of a name and 2 KiB read */

typedef struct watch {
    store_claim claim; /* fd -1: none */
    ino_t inode;
    store_claim_beat beat;
    uint64_t still_since; /* our clock */
    bool seen_running;
} watch;

static void watch_end(watch *w)
{
    store_claim_close(&w->claim);
    *w = (watch){.claim = {.fd = -1}};
}

/* Look at the claim `number`: the one we watch already, or another, which is watched from now on. */
static cistern_status watch_number(watch *w, const store *s, const base_digest *key, uint64_t number,
                                   cistern_error *err)
{
    char path[STORE_NAME_MAX];
    store_claim claim;
    store_claim_outcome outcome;
    store_claim_path(key, number, "claim", path);
    if (w->claim.fd >= 0 && w->claim.number == number && store_entry_names(s, path, w->claim.fd))
        return CISTERN_OK;
    watch_end(w);
    cistern_status status = store_claim_open(s, key, number, &claim, err);
    if (status != CISTERN_OK)
        return status;
    w->claim = claim;
    w->still_since = base_monotonic_ms();
    store_claim_read_outcome(&w->claim, &outcome);
    w->seen_running = !outcome.ended;
    if (!store_claim_read_beat(&w->claim, &w->beat))
        w->beat = (store_claim_beat){0};
    return CISTERN_OK;
}

/* Whether the watched owner may be taken over. */
static bool may_take_over(watch *w, const store *s)
{
    store_claim_beat beat;
    uint64_t now = base_monotonic_ms();
    if (base_process_dead(&w->claim.owner, s->local_disk))
        return true;
    if (store_claim_read_beat(&w->claim, &beat) && beat.counter != w->beat.counter) {
        w->beat = beat;
        w->still_since = now;
        return false;
    }
    return now - w->still_since >= s->takeover_ms;
}

static cistern_status fail_as_other(const watch *w, const store_claim_outcome *outcome, cistern_error *err)
{
    cistern_status status = outcome->status == CISTERN_OK ? CISTERN_UNEXPECTED : outcome->status;
    base_fail(err, status, "%s", outcome->text[0] ? outcome->text : cistern_status_text(status));
    return base_frame(err, status, "another process (pid %llu) was fetching the same",
                      (unsigned long long)w->claim.owner.pid);
}

void store_wait_release(store *s, const base_digest *key, store_claim *claim)
{
    char path[STORE_NAME_MAX];
    store_claim_path(key, claim->number, "claim", path);
    if (claim->fd >= 0)
        store_entry_unlink(s, path, claim->fd);
    store_claim_close(claim);
    store_scan_remove(s, key);
}

/* After creating ours: does any other claim stand against it? Those up to `beaten` were proven dead or still. */
static cistern_status confirm(const store *s, const base_digest *key, uint64_t own, uint64_t beaten,
                              bool *out, cistern_error *err)
{
    store_scan scan;
    cistern_status status = store_scan_read(s, key, &scan, err);
    if (status != CISTERN_OK)
        return status;
    *out = true;
    for (size_t i = 0; i < scan.claims.count; i++)
        if (scan.claims.number[i] != own && scan.claims.number[i] > beaten)
            *out = false;
    return CISTERN_OK;
}

static void remove_beaten(store *s, const base_digest *key, uint64_t beaten)
{
    store_scan scan;
    if (beaten == 0 || store_scan_read(s, key, &scan, NULL) != CISTERN_OK)
        return;
    for (size_t i = 0; i < scan.claims.count && scan.claims.number[i] <= beaten; i++) {
        char path[STORE_NAME_MAX];
        store_claim_path(key, scan.claims.number[i], "claim", path);
        cistern_status ignored = base_unlink_beneath(s->root, path, NULL);
        (void)ignored; /* beaten again by the next one */
    }
}

static void sleep_random(void)
{
    char hex[3] = "80";
    if (base_random_hex(1, hex, NULL) != CISTERN_OK)
        hex[0] = '8';
    base_sleep_ms(5u + (unsigned)(unsigned char)hex[0] % 16u * 4u + (unsigned)(unsigned char)hex[1] % 16u);
}

/* Try to make the claim `number`. NOT_FOUND of a directory that was just removed by another is no failure. */
static cistern_status try_create(store *s, const base_digest *key, uint64_t number, uint64_t beaten,
                                 store_claim *out, bool *out_won, cistern_error *err)
{
    store_claim claim;
    bool created = false;
    *out_won = false;
    cistern_status status = store_claim_create(s, key, number, &claim, &created, err);
    if (status == CISTERN_NOT_FOUND) {
        base_error_clear(err);
        return CISTERN_OK;
    }
    if (status != CISTERN_OK || !created)
        return status;
    status = confirm(s, key, number, beaten, out_won, err);
    if (status != CISTERN_OK || !*out_won) {
        *out_won = false;
        store_wait_release(s, key, &claim);
        sleep_random();
        return status;
    }
    remove_beaten(s, key, beaten);
    *out = claim;
    return CISTERN_OK;
}

/* What one look came to. */
typedef enum look { LOOK_WON, LOOK_AGAIN, LOOK_OTHER_DONE, LOOK_WAIT } look;

/* The watched claim's outcome, which may be read after its name has gone. */
static cistern_status look_outcome(watch *w, look *out, cistern_error *err)
{
    store_claim_outcome outcome;
    if (w->claim.fd < 0 || !w->seen_running)
        return CISTERN_OK;
    store_claim_read_outcome(&w->claim, &outcome);
    if (!outcome.ended)
        return CISTERN_OK;
    bool next_tries = outcome.status == CISTERN_CANCELLED;
    if (outcome.status == CISTERN_OK)
        *out = LOOK_OTHER_DONE;
    else if (!next_tries)
        return fail_as_other(w, &outcome, err);
    return CISTERN_OK;
}

static cistern_status look_once(watch *w, store *s, const base_digest *key, store_claim *out, look *result,
                                cistern_error *err)
{
    store_scan scan;
    bool won = false;
    *result = LOOK_AGAIN;
    cistern_status status = look_outcome(w, result, err);
    if (status != CISTERN_OK || *result == LOOK_OTHER_DONE)
        return status;
    status = store_scan_read(s, key, &scan, err);
    if (status != CISTERN_OK)
        return status;
    if (scan.claims.count == 0) {
        status = look_outcome(w, result, err); /* it may have ended between the two looks */
        if (status != CISTERN_OK || *result == LOOK_OTHER_DONE)
            return status;
        watch_end(w);
        status = try_create(s, key, scan.highest + 1, 0, out, &won, err);
        *result = won ? LOOK_WON : LOOK_AGAIN;
        return status;
    }
    uint64_t number = scan.claims.number[scan.claims.count - 1];
    if (w->claim.fd >= 0 && w->claim.number != number) {
        status = look_outcome(w, result, err);
        if (status != CISTERN_OK || *result == LOOK_OTHER_DONE)
            return status;
    }
    status = watch_number(w, s, key, number, err);
    if (status == CISTERN_NOT_FOUND) {
        base_error_clear(err);
        return CISTERN_OK;
    }
    if (status != CISTERN_OK || !may_take_over(w, s)) {
        *result = LOOK_WAIT;
        return status;
    }
    status = try_create(s, key, scan.highest + 1, number, out, &won, err);
    *result = won ? LOOK_WON : LOOK_AGAIN;
    return status;
}

/* Nothing to do but wait: cancel, time, progress. */
static cistern_status wait_a_little(const watch *w, uint64_t until, store_ticker *ticker, const base_run *run,
                                    cistern_error *err)
{
    cistern_status status = base_check_cancel(store_ticker_cancel(run), err);
    if (status != CISTERN_OK)
        return status;
    if (base_monotonic_ms() >= until)
        return base_fail(err, CISTERN_TIMED_OUT,
                         "another process (pid %llu) is still fetching the same; wait longer with --wait",
                         (unsigned long long)w->claim.owner.pid);
    ticker->p.total = w->beat.total;
    store_ticker_step(ticker, w->beat.done);
    base_sleep_ms(LOOK_MS);
    return CISTERN_OK;
}

cistern_status store_wait_claim(store *s, const base_digest *key, uint64_t wait_ms, const base_run *run,
                                store_claim *out, bool *out_won, cistern_error *err)
{
    watch w = {.claim = {.fd = -1}};
    store_ticker ticker;
    uint64_t now = base_monotonic_ms();
    uint64_t until = wait_ms >= UINT64_MAX - now ? UINT64_MAX : now + wait_ms;
    bool waited = false;
    look result = LOOK_AGAIN;
    store_ticker_init(&ticker, run, "wait", 0);
    cistern_status status = CISTERN_OK;
    while (status == CISTERN_OK && result != LOOK_WON && result != LOOK_OTHER_DONE) {
        status = look_once(&w, s, key, out, &result, err);
        if (status != CISTERN_OK || result != LOOK_WAIT)
            continue;
        if (!waited)
            base_log_line(store_ticker_log(run), 1,
                          "waiting for another process (pid %llu), which is fetching the same",
                          (unsigned long long)w.claim.owner.pid);
        waited = true;
        status = wait_a_little(&w, until, &ticker, run, err);
    }
    if (waited)
        store_ticker_end(&ticker, w.beat.done);
    watch_end(&w);
    *out_won = status == CISTERN_OK && result == LOOK_WON;
    return status;
}
