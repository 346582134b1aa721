/* What the kernel offers a process that wants to forbid itself things, for good. */
#ifndef BASE_CONFINE_H
#define BASE_CONFINE_H

#include <stdbool.h>
#include "base_error.h"

/** Whether system calls can be filtered (seccomp, Linux 3.5, unless built without). Threads: any. */
bool base_confine_has_filter(void);

/** The kernel's version of Landlock, from 1 (Linux 5.13) on; 0 where it has none, has it switched off, or something else
 *  keeps this process from it. Threads: any. */
unsigned base_confine_landlock_version(void);

/**
 * Forbid this process, and what it starts, all that this version of Landlock can forbid: to open, make, remove, rename or
 * execute any file (from 1 on), to truncate (3), TCP (4), controls of devices (5), sockets by abstract name and
 * signals to processes outside (6). What is open already stays as it is. There is no way back.
 * Needs one free descriptor for a moment, and no_new_privs set before.
 * @param version  what base_confine_landlock_version() said; 0: nothing is done.
 * @retval UNEXPECTED  the kernel has it and does not grant it.
 */
cistern_status base_confine_by_landlock(unsigned version, cistern_error *err) CISTERN_MUST_CHECK;

#endif
