/* Following redirects; see priv/net_hops.h.
 *
 * Invariants
 *  1. Once a hop was https, every later one is.
 *  2. User info that a Location brings is dropped; the given one goes to its own server only.
 */
#include "priv/net_hops.h"
#include <stdlib.h>
#include <string.h>

/* Errors of a hop name where the user began, too. */
static cistern_status frame_hop(const net_url *start, const char *shown, cistern_status status,
                                cistern_error *err)
{
    char first[NET_SHOWN_MAX], *text = NULL;
    if (net_url_normalise(start, &text, NULL) != CISTERN_OK)
        return status;
    snprintf(first, sizeof first, "%s", text);
    free(text);
    return strcmp(first, shown) == 0 ? status : base_frame(err, status, "redirected from %s", first);
}

static cistern_status show(const net_url *url, char out[NET_SHOWN_MAX], cistern_error *err)
{
    char *text = NULL;
    cistern_status status = net_url_normalise(url, &text, err);
    if (status == CISTERN_OK)
        snprintf(out, NET_SHOWN_MAX, "%s", text);
    free(text);
    return status;
}

/* Replace *at by the redirect's target. */
static cistern_status step(net_url *at, const char *target, const char *shown, cistern_error *err)
{
    net_url next = {0};
    char to[NET_SHOWN_MAX];
    cistern_status status = net_url_parse(target, &next, err);
    if (status == CISTERN_NO_MEMORY)
        return status;
    if (status != CISTERN_OK)
        return base_fail(err, CISTERN_NETWORK, "%s: redirects to an address that is no http or https URL",
                         shown);
    if (at->tls && !next.tls) {
        net_url_redact(target, to, sizeof to);
        net_url_clear(&next);
        return base_fail(
            err, CISTERN_REFUSED,
            "%s: redirects from https to http (%s), which is never followed: if you trust that way, give "
            "that address",
            shown, to);
    }
    net_url_clear(at);
    *at = next;
    return CISTERN_OK;
}

static cistern_status dup_url(const net_url *url, net_url *out, cistern_error *err)
{
    char *text = NULL;
    cistern_status status = net_url_request(url, &text, err);
    if (status == CISTERN_OK)
        status = net_url_parse(text, out, err);
    free(text);
    return status;
}

/* Ask one place. The user info comes from `start`, so that a redirect back to its server has it again. */
static cistern_status ask(net_client *client, const net_url *start, const net_url *at, const char *shown,
                          const net_request *request, const net_listener *listener, const base_run *run,
                          net_exchange *out, cistern_error *err)
{
    net_url with = *at; /* borrows */
    net_request asked = *request;
    asked.start = start;
    bool credentials = net_url_same_server(start, at);
    with.user = credentials ? start->user : NULL;
    with.password = credentials ? start->password : NULL;
    return net_exchange_run(client, &with, credentials, shown, &asked, listener, run, out, err);
}

cistern_status net_hops_run(net_client *client, const net_url *url, const net_request *request,
                            const net_listener *listener, const base_run *run, net_hops *out,
                            cistern_error *err)
{
    unsigned limit = net_client_options(client)->redirect_max;
    net_url at = {0};
    memset(out, 0, sizeof *out);
    cistern_status status = dup_url(url, &at, err);
    for (unsigned hop = 0; status == CISTERN_OK; hop++) {
        status = show(&at, out->final_url, err);
        if (status == CISTERN_OK)
            status = ask(client, url, &at, out->final_url, request, listener, run, &out->exchange, err);
        char *target = out->exchange.redirect;
        out->exchange.redirect = NULL;
        if (status != CISTERN_OK || target == NULL) {
            free(target);
            break;
        }
        status = hop < limit
                     ? step(&at, target, out->final_url, err)
                     : base_fail(err, CISTERN_NETWORK, "%s: more than %u redirects", out->final_url, limit);
        free(target);
    }
    if (status != CISTERN_OK && status != CISTERN_CANCELLED)
        status = frame_hop(url, out->final_url, status, err);
    if (at.path != NULL)
        net_url_file_name(&at, out->final_name, sizeof out->final_name);
    net_url_clear(&at);
    return status;
}
