/* Leave to use the CPU's tile registers (AMX): a process must ask Linux for them, because they enlarge what is saved of
 * each thread that uses them. */
#ifndef BASE_TILES_H
#define BASE_TILES_H

#include <stdbool.h>

/**
 * Ask, for all threads of this process and those it forks. Whether the CPU has tiles is for the caller to know.
 * @return whether they may be used: not before Linux 5.16, not under some sandboxes, and not where a thread's alternative
 *         signal stack is too small for them (there, once asked and refused, asking again later may succeed).
 * Threads: any. Allocates: no.
 */
bool base_tiles_allow(void);

#endif
