/* A served directory with one file, a client that is quick to give up, and a sink that keeps what it gets. */
#ifndef NET_FIXTURE_H
#define NET_FIXTURE_H

#include <stdbool.h>
#include "cistern_test.h"
#include "net_http.h"
#include "net_retry.h"
#include "origin_process.h"
#include "temp_dir.h"

#define FIXTURE_SIZE 300000u /* bytes of /a.bin: many packets, a few pieces */

typedef struct net_fixture {
    temp_dir dir;
    uint8_t *bytes; /* of /a.bin */
    origin_process origin;
    net_client *client;
} net_fixture;

/* Bytes that differ at every distance that a test shifts or cuts by. */
static inline uint8_t *fixture_bytes(size_t n, uint32_t seed)
{
    uint8_t *bytes = malloc(n);
    assert_non_null(bytes);
    for (size_t i = 0; i < n; i++) {
        seed = seed * 1664525u + 1013904223u;
        bytes[i] = (uint8_t)(seed >> 24);
    }
    return bytes;
}

static inline void fixture_write(const temp_dir *dir, const char *name, const void *bytes, size_t n)
{
    FILE *file = fopen(temp_dir_path(dir, name), "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, n, file), n);
    assert_int_equal(fclose(file), 0);
}

static inline net_options fixture_options(void)
{
    net_options options = NET_OPTIONS_INIT;
    options.backoff_first_ms = 5;
    options.backoff_max_ms = 20;
    return options;
}

static inline void fixture_start(net_fixture *f, const char *const *server_args)
{
    net_options options = fixture_options();
    temp_dir_make(&f->dir);
    f->bytes = fixture_bytes(FIXTURE_SIZE, 1);
    fixture_write(&f->dir, "a.bin", f->bytes, FIXTURE_SIZE);
    origin_process_start(&f->origin, f->dir.path, server_args);
    assert_int_equal(net_client_new(&options, &f->client, NULL), CISTERN_OK);
}

static inline void fixture_stop(net_fixture *f)
{
    net_client_free(f->client);
    origin_process_stop(&f->origin);
    temp_dir_remove(&f->dir);
    free(f->bytes);
}

static inline net_source *fixture_source_at(net_client *client, const char *scheme, const char *host,
                                            int port, const char *path)
{
    char url[512];
    net_source *src = NULL;
    snprintf(url, sizeof url, "%s://%s:%d%s", scheme, host, port, path);
    assert_int_equal(net_http_source_new(client, url, &src, NULL), CISTERN_OK);
    return src;
}

static inline net_source *fixture_source(const net_fixture *f, const char *path)
{
    return fixture_source_at(f->client, "http", "127.0.0.1", f->origin.port, path);
}

/* Keeps bytes; refuses with `fail` once it has `fail_at`. */
typedef struct kept {
    uint8_t *data;
    size_t n;
    size_t calls;
    size_t fail_at;
    cistern_status fail;
} kept;

static inline cistern_status kept_sink(void *user, const void *bytes, size_t n, cistern_error *err)
{
    kept *k = user;
    k->calls++;
    if (k->fail != CISTERN_OK && k->n + n > k->fail_at) {
        if (err != NULL)
            *err = (cistern_error){.status = k->fail, .text = "the sink is full"};
        return k->fail;
    }
    k->data = realloc(k->data, k->n + n);
    assert_non_null(k->data);
    memcpy(k->data + k->n, bytes, n);
    k->n += n;
    return CISTERN_OK;
}

static inline void kept_clear(kept *k)
{
    free(k->data);
    memset(k, 0, sizeof *k);
}

static inline const char *message(const cistern_error *err)
{
    static char text[4096];
    cistern_error_format(err, text, sizeof text);
    return text;
}

#define assert_message(err, words)                                                                           \
    do {                                                                                                     \
        if (strstr(message(err), words) == NULL)                                                             \
            fail_msg("the message does not say '%s': %s", words, message(err));                              \
    } while (0)
#define assert_silent(err, words)                                                                            \
    do {                                                                                                     \
        if (strstr(message(err), words) != NULL)                                                             \
            fail_msg("the message says '%s': %s", words, message(err));                                      \
    } while (0)

#endif
