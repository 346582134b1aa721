/* Tile registers; see base_tiles.h. */
#include "base_tiles.h"

#if defined(__x86_64__)
#include <sys/syscall.h>
#include <unistd.h>

/* Linux's asm/prctl.h and Documentation/arch/x86/xstate.rst; older headers do not have the first. */
#define REQUEST_PERMISSION 0x1023
#define TILE_DATA          18 /* the number of the state component */

bool base_tiles_allow(void)
{
    return syscall(SYS_arch_prctl, REQUEST_PERMISSION, TILE_DATA) == 0;
}
#else
bool base_tiles_allow(void)
{
    return false;
}
#endif
