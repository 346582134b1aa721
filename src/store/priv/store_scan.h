/* What lies in the directory of one key of partial/. */
#ifndef STORE_SCAN_H
#define STORE_SCAN_H

#include "store_object.h"

/* The numbers that have each kind of file, ascending. */
#define STORE_SCAN_MAX 64 /* of one kind; more are a mess that a person should look at */
typedef struct store_scan_list {
    uint64_t number[STORE_SCAN_MAX];
    size_t count;
} store_scan_list;
typedef struct store_scan {
    store_scan_list claims, datas, journals;
    uint64_t highest; /* number in use; 0: none */
} store_scan;
cistern_status store_scan_read(const store *s, const base_digest *key, store_scan *out,
                               cistern_error *err) CISTERN_MUST_CHECK;
/** Remove the directory if nothing is left in it but temporaries: of the killed, or of one that is about to make a claim
 * and will then simply try again. */
void store_scan_remove(const store *s, const base_digest *key);
bool store_scan_has(const store_scan_list *list, uint64_t number);

#endif
