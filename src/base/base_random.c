/* Random names; declared in base_host.h. */
#include "base_host.h"
#include <errno.h>
#include <sys/random.h>

cistern_status base_random_hex(size_t n, char *out, cistern_error *err)
{
    static const char digits[] = "0123456789abcdef";
    for (size_t done = 0; done < n;) {
        unsigned char bytes[64];
        size_t want = n - done < sizeof bytes ? n - done : sizeof bytes;
        ssize_t got = getrandom(bytes, want, 0);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return base_fail_errno(err, errno, "cannot get %zu random bytes", want);
        for (size_t i = 0; i < (size_t)got; i++) {
            out[2 * (done + i)] = digits[bytes[i] >> 4];
            out[2 * (done + i) + 1] = digits[bytes[i] & 15];
        }
        done += (size_t)got;
    }
    out[2 * n] = '\0';
    return CISTERN_OK;
}
