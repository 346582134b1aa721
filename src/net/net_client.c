/* The client: options, idle handles, the counter; see net_client.h and priv/net_pool.h. */
#include "net_client.h"
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include "base_file.h"
#include "base_mem.h"
#include "priv/net_pool.h"

#define IDLE_MAX 16 /* slots kept, each with its connections: more than the parallel ranges of one fetch */

struct net_client {
    net_options options; /* its texts are owned */
    char *texts[6];      /* what to free */
    net_mirror *mirrors; /* options.mirror_count of them; their texts are owned */
    atomic_uint_least64_t requests;
    pthread_mutex_t lock; /* of what follows */
    net_slot *idle;
    unsigned idle_count;
    bool headers_read;
    net_headers headers; /* once read, never changed */
};

static void slot_free(net_slot *slot)
{
    net_signals signals;
    net_signals_block(&signals); /* a TLS connection says goodbye */
    if (slot->easy != NULL)
        slot->curl->easy_cleanup(slot->easy);
    if (slot->multi != NULL)
        slot->curl->multi_cleanup(slot->multi);
    net_signals_restore(&signals);
    free(slot);
}

/* After a fork: the parent goes on using its connections, so the child neither uses nor closes them. */
static void leave_inherited(net_client *client)
{
    while (client->idle != NULL && client->idle->process != getpid()) {
        net_slot *slot = client->idle;
        client->idle = slot->next;
        client->idle_count--;
        free(slot);
    }
}

static cistern_status copy_mirrors(net_client *client, const net_options *given, cistern_error *err)
{
    cistern_status status = base_calloc(given->mirror_count, sizeof *client->mirrors, &client->mirrors, err);
    for (size_t i = 0; status == CISTERN_OK && i < given->mirror_count; i++) {
        char *prefix = NULL, *replacement = NULL;
        status = base_strdup(given->mirrors[i].prefix, &prefix, err);
        if (status == CISTERN_OK)
            status = base_strdup(given->mirrors[i].replacement, &replacement, err);
        client->mirrors[i] = (net_mirror){prefix, replacement};
        client->options.mirror_count = i + 1;
    }
    client->options.mirrors = client->mirrors;
    return status;
}

cistern_status net_client_new(const net_options *options, net_client **out, cistern_error *err)
{
    net_options given = NET_OPTIONS_INIT;
    net_client *client = NULL;
    cistern_status status = base_calloc(1, sizeof *client, &client, err);
    if (status != CISTERN_OK)
        return status;
    if (options != NULL)
        memcpy(&given, options, options->size < sizeof given ? options->size : sizeof given);
    const char **texts[] = {&given.ca_file,    &given.proxy,      &given.no_proxy,
                            &given.user_agent, &given.netrc_file, &given.headers_file};
    for (size_t i = 0; status == CISTERN_OK && i < sizeof texts / sizeof texts[0]; i++) {
        status = base_strdup(*texts[i], &client->texts[i], err);
        *texts[i] = client->texts[i];
    }
    given.size = sizeof given;
    client->options = given;
    client->options.mirror_count = 0;
    if (status == CISTERN_OK && given.mirror_count != 0)
        status = copy_mirrors(client, &given, err);
    pthread_mutex_init(&client->lock, NULL);
    if (status != CISTERN_OK) {
        net_client_free(client);
        return status;
    }
    *out = client;
    return CISTERN_OK;
}

void net_client_free(net_client *client)
{
    if (client == NULL)
        return;
    leave_inherited(client);
    while (client->idle != NULL) {
        net_slot *slot = client->idle;
        client->idle = slot->next;
        slot_free(slot);
    }
    pthread_mutex_destroy(&client->lock);
    for (size_t i = 0; i < sizeof client->texts / sizeof client->texts[0]; i++)
        free(client->texts[i]);
    for (size_t i = 0; i < client->options.mirror_count; i++) {
        free((char *)(uintptr_t)client->mirrors[i].prefix);
        free((char *)(uintptr_t)client->mirrors[i].replacement);
    }
    free(client->mirrors);
    net_headers_clear(&client->headers);
    free(client);
}

const net_options *net_client_options(const net_client *client)
{
    return &client->options;
}

uint64_t net_client_requests(const net_client *client)
{
    return atomic_load(&client->requests);
}

static cistern_status read_headers(net_client *client, cistern_error *err)
{
    base_buf text;
    base_buf_init(&text, NET_HEADERS_FILE_MAX);
    cistern_status status = base_read_path(client->options.headers_file, &text, err);
    if (status == CISTERN_OK)
        status = net_headers_parse(text.data != NULL ? text.data : "", text.len, client->options.headers_file,
                                   &client->headers, err);
    base_buf_clear(&text);
    return status == CISTERN_OK ? status : base_frame(err, status, "headers-file");
}

cistern_status net_pool_headers(net_client *client, const net_headers **out, cistern_error *err)
{
    cistern_status status = CISTERN_OK;
    pthread_mutex_lock(&client->lock);
    if (!client->headers_read && client->options.headers_file != NULL)
        status = read_headers(client, err);
    client->headers_read = status == CISTERN_OK;
    pthread_mutex_unlock(&client->lock);
    if (status == CISTERN_OK)
        *out = &client->headers;
    return status;
}

void net_pool_count(net_client *client)
{
    atomic_fetch_add(&client->requests, 1);
}

static cistern_status slot_new(const net_curl *curl, net_slot **out, cistern_error *err)
{
    net_slot *slot = NULL;
    cistern_status status = base_calloc(1, sizeof *slot, &slot, err);
    if (status != CISTERN_OK)
        return status;
    slot->curl = curl;
    slot->process = getpid();
    slot->easy = curl->easy_init();
    slot->multi = curl->multi_init();
    if (slot->easy == NULL || slot->multi == NULL) {
        slot_free(slot);
        return base_fail_memory(err, sizeof *slot);
    }
    *out = slot;
    return CISTERN_OK;
}

cistern_status net_pool_take(net_client *client, net_slot **out, cistern_error *err)
{
    const net_curl *curl = NULL;
    cistern_status status = net_curl_load(&curl, err);
    if (status != CISTERN_OK)
        return status;
    pthread_mutex_lock(&client->lock);
    leave_inherited(client);
    net_slot *slot = client->idle;
    if (slot != NULL) {
        client->idle = slot->next;
        client->idle_count--;
    }
    pthread_mutex_unlock(&client->lock);
    if (slot == NULL)
        return slot_new(curl, out, err);
    slot->next = NULL;
    *out = slot;
    return CISTERN_OK;
}

void net_pool_give(net_client *client, net_slot *slot)
{
    slot->curl->easy_reset(slot->easy); /* forgets options and credentials, keeps nothing but memory */
    pthread_mutex_lock(&client->lock);
    bool keep = client->idle_count < IDLE_MAX;
    if (keep) {
        slot->next = client->idle;
        client->idle = slot;
        client->idle_count++;
    }
    pthread_mutex_unlock(&client->lock);
    if (!keep)
        slot_free(slot);
}

cistern_status net_client_check(cistern_error *err)
{
    const net_curl *curl = NULL;
    return net_curl_load(&curl, err);
}
