/* Claims: who may fetch. One file of a fixed size per claim, `partial/<key>/<n>.claim`.
 *
 *   bytes 0..1023     one line of canonical JSON: the owner; zeros after it
 *         1024..1055  beat: counter, bytes done, bytes in all (u64 each), 0 (u32), CRC-32 of the 28 bytes before
 *         1056..2047  outcome: 0 running, 1 ended (u32); status (u32); text length (u32); CRC-32 of the 12 bytes before
 *                     and of the text (u32); text, up to 976 bytes of UTF-8
 *
 * Invariants
 *  1. A claim appears whole (temporary, link); later only its owner writes it, beat and outcome, each in one write.
 *  2. Whoever waits keeps it open: the outcome is written before the name goes.
 */
#ifndef STORE_CLAIM_H
#define STORE_CLAIM_H

#include "store_object.h"

#define STORE_CLAIM_TEXT_MAX 977 /* bytes of an outcome's text, with the zero */

typedef struct store_claim {
    int fd;
    uint64_t number;
    base_process owner; /* all empty if unreadable: then only its counter speaks */
} store_claim;

typedef struct store_claim_beat {
    uint64_t counter, done, total;
} store_claim_beat;

typedef struct store_claim_outcome {
    bool ended;
    cistern_status status;
    char text[STORE_CLAIM_TEXT_MAX];
} store_claim_outcome;

/** "partial/<key>/<n>.<suffix>" */
void store_claim_path(const base_digest *key, uint64_t number, const char *suffix, char out[STORE_NAME_MAX]);
/** "partial/<key>" */
void store_claim_dir(const base_digest *key, char out[STORE_NAME_MAX]);

/** Create-if-absent. @param out_created  false: somebody has that number; out is untouched then. */
cistern_status store_claim_create(store *s, const base_digest *key, uint64_t number, store_claim *out,
                                  bool *out_created, cistern_error *err) CISTERN_MUST_CHECK;
/** Open another's. @retval NOT_FOUND */
cistern_status store_claim_open(const store *s, const base_digest *key, uint64_t number, store_claim *out,
                                cistern_error *err) CISTERN_MUST_CHECK;
void store_claim_close(store_claim *claim);

/** false: not written yet, torn, or unreadable. */
bool store_claim_read_beat(const store_claim *claim, store_claim_beat *out);
void store_claim_write_beat(const store_claim *claim, const store_claim_beat *beat);
void store_claim_read_outcome(const store_claim *claim, store_claim_outcome *out);
void store_claim_write_outcome(const store_claim *claim, cistern_status status, const char *text);

#endif
