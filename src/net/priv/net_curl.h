/* libcurl, loaded at the first request; headers at compile time only. */
#ifndef NET_CURL_H
#define NET_CURL_H

#define CURL_DISABLE_TYPECHECK /* its macros would name functions that are not linked */
#include <curl/curl.h>
#include <signal.h>
#include <stdbool.h>
#include "base_error.h"

/** The functions in use, as declared by curl/easy.h and curl/multi.h. */
typedef struct net_curl {
    CURLcode (*global_init)(long flags);
    CURL *(*easy_init)(void);
    void (*easy_cleanup)(CURL *easy);
    void (*easy_reset)(CURL *easy);
    CURLcode (*easy_setopt)(CURL *easy, CURLoption option, ...);
    CURLcode (*easy_getinfo)(CURL *easy, CURLINFO info, ...);
    const char *(*easy_strerror)(CURLcode code);
    CURLM *(*multi_init)(void);
    CURLMcode (*multi_cleanup)(CURLM *multi);
    CURLMcode (*multi_add_handle)(CURLM *multi, CURL *easy);
    CURLMcode (*multi_remove_handle)(CURLM *multi, CURL *easy);
    CURLMcode (*multi_perform)(CURLM *multi, int *running);
    CURLMcode (*multi_poll)(CURLM *multi, struct curl_waitfd *extra, unsigned count, int timeout_ms,
                            int *ready);
    CURLMsg *(*multi_info_read)(CURLM *multi, int *left);
    struct curl_slist *(*slist_append)(struct curl_slist *list, const char *text);
    void (*slist_free_all)(struct curl_slist *list);
} net_curl;

/**
 * Load and initialise libcurl, once per process, and lend its functions for good.
 * @retval UNEXPECTED  it is not installed, or lacks a function; asked again at the next request.
 * Threads: any.
 */
cistern_status net_curl_load(const net_curl **out, cistern_error *err) CISTERN_MUST_CHECK;

/** What net_signals_block found. */
typedef struct net_signals {
    sigset_t before;
    bool pipe_was_pending;
} net_signals;
/** Block the signals of other causes than this thread's own faults, on this thread, while libcurl works. */
void net_signals_block(net_signals *out);
/** Drop a broken-pipe signal that came meanwhile, and restore. */
void net_signals_restore(const net_signals *signals);

#endif
