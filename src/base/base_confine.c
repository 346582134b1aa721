/* Landlock by raw system calls: the C library of Debian 12 has no functions for them, and its headers know version 2.
 *
 * Invariants
 *  1. A set of rules handles every right that the version has and grants none.
 *  2. Members of the structure that an older kernel does not know are zero, which it accepts.
 */
#include "base_confine.h"

#include <errno.h>
#include <stdint.h>
#include <linux/seccomp.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Linux, include/uapi/linux/landlock.h; the numbers never change. */
#define CREATE_RULESET_VERSION 1u

/* Bits of the rights to files that each version has: from bit 0 on, without a gap. */
#define FILE_RIGHTS_1 13u /* execute, write, read, read directory, remove (2), make (7) */
#define FILE_RIGHTS_2 14u /* and: link or rename into another directory */
#define FILE_RIGHTS_3 15u /* and: truncate */
#define FILE_RIGHTS_5 16u /* and: control devices */

#define NET_RIGHTS 3u /* version 4: bind and connect by TCP */
#define SCOPES     3u /* version 6: abstract sockets, signals */

typedef struct ruleset {
    uint64_t files, net, scoped;
} ruleset;

static ruleset everything(unsigned version)
{
    unsigned bits = version >= 5   ? FILE_RIGHTS_5
                    : version >= 3 ? FILE_RIGHTS_3
                    : version == 2 ? FILE_RIGHTS_2
                                   : FILE_RIGHTS_1;

    return (ruleset){
        .files = ((uint64_t)1 << bits) - 1,
        .net = version >= 4 ? NET_RIGHTS : 0,
        .scoped = version >= 6 ? SCOPES : 0,
    };
}

bool base_confine_has_filter(void)
{
    /* a filter at NULL cannot be read: what can filter says so, what cannot does not know the mode (prctl(2)) */
    return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, NULL, 0, 0) != 0 && errno == EFAULT;
}

unsigned base_confine_landlock_version(void)
{
    long version = syscall(SYS_landlock_create_ruleset, NULL, (size_t)0, CREATE_RULESET_VERSION);

    return version > 0 ? (unsigned)version : 0;
}

cistern_status base_confine_by_landlock(unsigned version, cistern_error *err)
{
    ruleset rules = everything(version);

    if (version == 0)
        return CISTERN_OK;
    long fd = syscall(SYS_landlock_create_ruleset, &rules, sizeof rules, 0u);
    if (fd < 0)
        return base_fail(err, CISTERN_UNEXPECTED, "cannot make Landlock rules (version %u): %s", version,
                         strerror(errno));
    long failed = syscall(SYS_landlock_restrict_self, (int)fd, 0u);
    int number = errno;
    close((int)fd);
    return failed ? base_fail(err, CISTERN_UNEXPECTED, "cannot set Landlock rules (version %u): %s", version,
                              strerror(number))
                  : CISTERN_OK;
}
