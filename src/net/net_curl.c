/* Loading libcurl; see priv/net_curl.h.
 *
 * The only mutable state of the room that is not a client's: libcurl's own initialisation is per process, so its
 * table is too. It is never unloaded: name look-ups that were given up end in threads of their own.
 */
#include "priv/net_curl.h"
#include <dlfcn.h>
#include <pthread.h>
#include <string.h>
#include <time.h>

#define LIBRARY "libcurl.so.4" /* the ABI since 2006 */

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static net_curl loaded;
static bool is_loaded;

/* A name and the place of its pointer in net_curl. */
typedef struct symbol {
    const char *name;
    size_t offset;
} symbol;

#define SYMBOL(member)                                                                                       \
    {                                                                                                        \
        "curl_" #member, offsetof(net_curl, member)                                                          \
    }
static const symbol symbols[] = {
    SYMBOL(global_init),     SYMBOL(easy_init),           SYMBOL(easy_cleanup),  SYMBOL(easy_reset),
    SYMBOL(easy_setopt),     SYMBOL(easy_getinfo),        SYMBOL(easy_strerror), SYMBOL(multi_init),
    SYMBOL(multi_cleanup),   SYMBOL(multi_add_handle),    SYMBOL(multi_perform), SYMBOL(multi_poll),
    SYMBOL(multi_info_read), SYMBOL(multi_remove_handle), SYMBOL(slist_append),  SYMBOL(slist_free_all),
};

static cistern_status load(net_curl *out, cistern_error *err)
{
    void *library = dlopen(LIBRARY, RTLD_NOW | RTLD_LOCAL);
    if (library == NULL)
        return base_fail(
            err, CISTERN_UNEXPECTED,
            "%s cannot be loaded, and it is needed for http: install it (Debian: apt install libcurl4)",
            LIBRARY);
    for (size_t i = 0; i < sizeof symbols / sizeof symbols[0]; i++) {
        void *address = dlsym(library, symbols[i].name);
        if (address == NULL)
            return base_fail(err, CISTERN_UNEXPECTED, "%s has no %s: 7.88 or newer is needed", LIBRARY,
                             symbols[i].name);
        memcpy((char *)out + symbols[i].offset, &address, sizeof address);
    }
    CURLcode code = out->global_init(CURL_GLOBAL_DEFAULT);
    if (code != CURLE_OK)
        return base_fail(err, CISTERN_UNEXPECTED, "%s does not start: %s", LIBRARY, out->easy_strerror(code));
    return CISTERN_OK;
}

cistern_status net_curl_load(const net_curl **out, cistern_error *err)
{
    cistern_status status = CISTERN_OK;
    pthread_mutex_lock(&lock);
    if (!is_loaded) {
        status = load(&loaded, err);
        is_loaded = status == CISTERN_OK;
    }
    pthread_mutex_unlock(&lock);
    if (status == CISTERN_OK)
        *out = &loaded; /* written once, before the lock was released */
    return status;
}

void net_signals_block(net_signals *out)
{
    sigset_t blocked, pending;
    sigfillset(&blocked);
    sigdelset(&blocked, SIGSEGV);
    sigdelset(&blocked, SIGBUS);
    sigdelset(&blocked, SIGFPE);
    sigdelset(&blocked, SIGILL);
    sigdelset(&blocked, SIGABRT);
    sigdelset(&blocked, SIGTRAP);
    pthread_sigmask(SIG_BLOCK, &blocked, &out->before);
    out->pipe_was_pending = sigpending(&pending) == 0 && sigismember(&pending, SIGPIPE) == 1;
}

void net_signals_restore(const net_signals *signals)
{
    sigset_t pending, pipe;
    sigemptyset(&pipe);
    sigaddset(&pipe, SIGPIPE);
    /* A write to a closed socket raises it on this very thread, so it is pending here or nowhere. */
    if (!signals->pipe_was_pending && sigpending(&pending) == 0 && sigismember(&pending, SIGPIPE) == 1)
        sigtimedwait(&pipe, NULL, &(struct timespec){0, 0});
    pthread_sigmask(SIG_SETMASK, &signals->before, NULL);
}
