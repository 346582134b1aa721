/* The guard against SIGBUS: see cistern/guard.h.
 *
 * The only state of the room that is the process's: a signal's handler is, so its list of mappings is too.
 *
 * Invariants
 *  1. The handler takes no lock and calls nothing but mmap and sigaction: the list only grows, at its head; its
 *     members are used again and never freed.
 *  2. `from` is written last when a mapping comes, first when it goes: a member with `from` 0 guards nothing.
 *  3. What is not ours goes on to whoever had the signal before.
 */
#include "priv/api_guard.h"

#include <cistern/guard.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include "base_fault.h"
#include "base_mem.h"
#include "priv/api_types.h"

/* Bytes covered at one fault, at most. Page by page, a long file whose threads fault in turns would be cut into more
 * mappings than a process may have (65,530); this much leaves the rest of a file that only one bad block hit. */
#define COVER ((uintptr_t)2 << 20)

struct api_guard {
    atomic_bool taken;
    atomic_uintptr_t from, to;
    atomic_bool hit;
    struct api_guard *next;
};

static _Atomic(api_guard *) first;
static pthread_mutex_t install_lock = PTHREAD_MUTEX_INITIALIZER;
static struct sigaction before; /* written before the handler can run */
static long page_bytes;

static bool cover(uintptr_t at)
{
    uintptr_t page = at & ~((uintptr_t)page_bytes - 1), end = (at / COVER + 1) * COVER;
    for (api_guard *g = atomic_load(&first); g; g = g->next) {
        uintptr_t from = atomic_load(&g->from), to = atomic_load(&g->to);
        if (from == 0 || at < from || at >= to || atomic_load(&g->from) != from)
            continue;
        atomic_store(&g->hit, true);
        return base_fault_cover((void *)page, (end < to ? end : to) - page);
    }
    return false;
}

static void pass_on(int number, siginfo_t *info, void *context)
{
    if (before.sa_flags & SA_SIGINFO) {
        before.sa_sigaction(number, info, context);
    } else if (before.sa_handler == SIG_DFL || before.sa_handler == SIG_IGN) {
        if (info->si_code <= 0 && before.sa_handler == SIG_IGN)
            return; /* another process sent it, and it was not wanted */
        sigaction(number, &before, NULL);
        if (info->si_code <= 0)
            raise(number); /* taken when this handler returns; a fault comes again by itself */
    } else {
        before.sa_handler(number);
    }
}

static void on_sigbus(int number, siginfo_t *info, void *context)
{
    int saved = errno;
    if (info->si_code <= 0 || !cover((uintptr_t)info->si_addr))
        pass_on(number, info, context);
    errno = saved;
}

cistern_status cistern_sigbus_guard(cistern_error *err)
{
    struct sigaction action, now;
    cistern_status st = CISTERN_OK;
    memset(&action, 0, sizeof action);
    action.sa_sigaction = on_sigbus;
    action.sa_flags = SA_SIGINFO;
    sigemptyset(&action.sa_mask);
    pthread_mutex_lock(&install_lock);
    page_bytes = sysconf(_SC_PAGESIZE);
    if (sigaction(SIGBUS, NULL, &now) != 0) {
        st = base_fail_errno(err, errno, "cannot handle SIGBUS");
    } else if (!(now.sa_flags & SA_SIGINFO) || now.sa_sigaction != on_sigbus) {
        before = now;
        if (sigaction(SIGBUS, &action, NULL) != 0)
            st = base_fail_errno(err, errno, "cannot handle SIGBUS");
    }
    pthread_mutex_unlock(&install_lock);
    return st;
}

static api_guard *take_free(void)
{
    for (api_guard *g = atomic_load(&first); g; g = g->next) {
        bool taken = false;
        if (atomic_compare_exchange_strong(&g->taken, &taken, true))
            return g;
    }
    return NULL;
}

cistern_status api_guard_add(const base_map *map, api_guard **out, cistern_error *err)
{
    api_guard *g = NULL;
    if (map->size == 0) {
        *out = NULL;
        return CISTERN_OK;
    }
    g = take_free();
    if (!g) {
        cistern_status st = base_calloc(1, sizeof *g, &g, err);
        if (st != CISTERN_OK)
            return st;
        atomic_init(&g->taken, true);
        g->next = atomic_load(&first);
        while (!atomic_compare_exchange_weak(&first, &g->next, g))
            continue;
    }
    atomic_store(&g->hit, false);
    atomic_store(&g->to, (uintptr_t)map->data + map->size);
    atomic_store(&g->from, (uintptr_t)map->data);
    *out = g;
    return CISTERN_OK;
}

void api_guard_remove(api_guard *g)
{
    if (!g)
        return;
    atomic_store(&g->from, 0);
    atomic_store(&g->taken, false);
}

bool api_guard_hit(const api_guard *g)
{
    return g && atomic_load(&g->hit);
}

cistern_status cistern_model_check(const cistern_model *m, cistern_error *err)
{
    bool hit = api_guard_hit(atomic_load(&m->packed.guard));
    for (size_t i = 0; !hit && i < m->file_count; i++)
        hit = api_guard_hit(m->guards[i]);
    return hit ? base_fail(
                     err, CISTERN_DAMAGED,
                     "%s: its file became shorter or unreadable while it was in use; see: cistern verify",
                     cistern_version_reference(m->version))
               : CISTERN_OK;
}
