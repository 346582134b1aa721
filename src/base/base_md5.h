/* MD5 (OpenSSL libcrypto) of a whole file: only to compare with what Keras publishes. It proves nothing against an enemy. */
#ifndef BASE_MD5_H
#define BASE_MD5_H

#include <stdint.h>
#include "base_thread.h"

#define BASE_MD5_HEX 33 /* 32 lower-case digits and a zero */

/**
 * @param fd    a regular file, readable; its position does not move. @param size  bytes, from its start.
 * @param run   cancel; may be NULL.
 * @retval UNEXPECTED  this system's libcrypto refuses MD5. @retval DAMAGED  the file ends before.
 */
cistern_status base_md5_of_file(int fd, uint64_t size, const base_run *run, char out[BASE_MD5_HEX],
                                cistern_error *err) CISTERN_MUST_CHECK;

#endif
