/* Signals: see cli_signal.h. */
#include "cli_signal.h"
#include <signal.h>
#include <stdatomic.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

static _Atomic(cistern_cancel *) held; /* the call to cancel, or NULL */
static atomic_int asked;               /* interruptions of the held call */

static void on_signal(int number)
{
    (void)number;
    cistern_cancel *cancel = atomic_load(&held);
    if (!cancel || atomic_fetch_add(&asked, 1) > 0)
        _exit(cistern_status_exit_code(CISTERN_CANCELLED));
    cistern_cancel_set(cancel);
}

static void handle(int number, void (*handler)(int))
{
    struct sigaction action;
    memset(&action, 0, sizeof action);
    action.sa_handler = handler;
    sigemptyset(&action.sa_mask);
    sigaction(number, &action, NULL);
}

void cli_signal_install(void)
{
    struct sigaction before;
    handle(SIGINT, on_signal);
    handle(SIGTERM, on_signal);
    handle(SIGPIPE, SIG_IGN);
    /* nohup's wish is kept */
    if (sigaction(SIGHUP, NULL, &before) == 0 && before.sa_handler != SIG_IGN)
        handle(SIGHUP, on_signal);
}

void cli_signal_hold(cistern_cancel *cancel)
{
    atomic_store(&held, cancel);
}

void cli_signal_release(void)
{
    atomic_store(&held, NULL);
}

bool cli_signal_asked(void)
{
    return atomic_load(&asked) > 0;
}

void cli_signal_die_of_pipe(void)
{
    handle(SIGPIPE, SIG_DFL);
    raise(SIGPIPE);
}
