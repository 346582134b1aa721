/* Starting, steering and stopping tests/support/origin_server.py from a cmocka test. Needs CISTERN_TEST_DATA.
 *
 *     origin_process origin;
 *     origin_process_start(&origin, root, NULL);                 // or {"--tls", cert, key, NULL}
 *     origin_process_faults(&origin, "{\"/a.bin\":{\"cut_after\":1000,\"cut_times\":1}}");
 *     ... origin.port ...
 *     assert_int_equal(origin_process_count(&origin, "/a.bin", "get"), 2);
 *     origin_process_stop(&origin);
 *
 * The server ends when its standard input closes, so it never outlives the test, however that ends. Failures
 * of the helper itself end the test program at once (abort): they are not what is being tested.
 */
#ifndef ORIGIN_PROCESS_H
#define ORIGIN_PROCESS_H

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
#include <jansson.h>

extern char **environ;

#define ORIGIN_PROCESS_ARGS_MAX   16
#define ORIGIN_PROCESS_ANSWER_MAX (4u << 20)

typedef struct origin_process {
    pid_t pid;
    int input;        /* our end of its standard input */
    int port;         /* where it serves (http, or https with --tls) */
    int control_port; /* where it is steered, always plain HTTP */
} origin_process;

static inline void origin_process_die(const char *what)
{
    fprintf(stderr, "origin_process: %s\n", what);
    abort();
}

static inline int origin_process_read_port(FILE *lines, const char *word)
{
    char line[64], name[32];
    int port = 0;
    if (fgets(line, sizeof line, lines) == NULL || sscanf(line, "%31s %d", name, &port) != 2 ||
        strcmp(name, word) != 0)
        origin_process_die("the server did not print its ports");
    return port;
}

/** Start a server that prints its two ports: argv as for a program, ended by NULL. */
static inline void origin_process_spawn(origin_process *out, const char *const argv[ORIGIN_PROCESS_ARGS_MAX])
{
    int in[2], back[2];
    if (pipe(in) != 0 || pipe(back) != 0)
        origin_process_die("pipe failed");
    fcntl(in[1], F_SETFD, FD_CLOEXEC);
    fcntl(back[0], F_SETFD, FD_CLOEXEC);
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, in[0], 0);
    posix_spawn_file_actions_adddup2(&actions, back[1], 1);
    char *args[ORIGIN_PROCESS_ARGS_MAX];
    for (size_t i = 0; i < ORIGIN_PROCESS_ARGS_MAX; i++)
        memcpy(&args[i], &argv[i], sizeof args[i]);
    if (posix_spawnp(&out->pid, "python3", &actions, NULL, args, environ) != 0)
        origin_process_die("python3 did not start");
    posix_spawn_file_actions_destroy(&actions);
    close(in[0]);
    close(back[1]);
    out->input = in[1];
    FILE *lines = fdopen(back[0], "r");
    if (lines == NULL)
        origin_process_die("fdopen failed");
    out->port = origin_process_read_port(lines, "port");
    out->control_port = origin_process_read_port(lines, "control");
    fclose(lines);
}

/** Serve the directory `root`; `more` holds further arguments, ended by NULL, or is NULL. */
static inline void origin_process_start(origin_process *out, const char *root, const char *const *more)
{
    const char *argv[ORIGIN_PROCESS_ARGS_MAX] = {"python3", CISTERN_TEST_DATA "/support/origin_server.py",
                                                 "--root", root};
    size_t argc = 4;
    for (; more != NULL && *more != NULL && argc + 1 < ORIGIN_PROCESS_ARGS_MAX; more++)
        argv[argc++] = *more;
    argv[argc] = NULL;
    origin_process_spawn(out, argv);
}

/** End the server and wait for its end. */
static inline void origin_process_stop(origin_process *origin)
{
    close(origin->input);
    waitpid(origin->pid, NULL, 0);
}

/** One request to the control port; the answer's body, zero-terminated, freed by the caller. */
static inline char *origin_process_control(const origin_process *origin, const char *method, const char *path,
                                           const char *body)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)origin->control_port),
                                  .sin_addr = {htonl(INADDR_LOOPBACK)}};
    if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof address) != 0)
        origin_process_die("no connection to the control port");
    dprintf(fd, "%s %s HTTP/1.1\r\nHost: control\r\nConnection: close\r\nContent-Length: %zu\r\n\r\n%s",
            method, path, strlen(body), body);
    char *text = calloc(1, ORIGIN_PROCESS_ANSWER_MAX);
    size_t length = 0;
    ssize_t n = 0;
    while (text != NULL && (n = read(fd, text + length, ORIGIN_PROCESS_ANSWER_MAX - 1 - length)) > 0)
        length += (size_t)n;
    close(fd);
    char *head_end = text == NULL ? NULL : strstr(text, "\r\n\r\n");
    if (head_end == NULL || strstr(text, " 200 ") == NULL)
        origin_process_die("the control port answered something else");
    memmove(text, head_end + 4, strlen(head_end + 4) + 1);
    return text;
}

/** Replace all faults (see the server's docstring); "{}" for none. */
static inline void origin_process_faults(const origin_process *origin, const char *json)
{
    free(origin_process_control(origin, "POST", "/__faults", json));
}

/** Set all counts back to zero. */
static inline void origin_process_reset(const origin_process *origin)
{
    free(origin_process_control(origin, "POST", "/__reset", ""));
}

/** What it has counted, as documented there; freed by the caller with json_decref. */
static inline json_t *origin_process_stats(const origin_process *origin)
{
    char *text = origin_process_control(origin, "GET", "/__stats", "");
    json_t *stats = json_loads(text, 0, NULL);
    free(text);
    if (stats == NULL)
        origin_process_die("the counts are not JSON");
    return stats;
}

/** One count: of a path ("requests", "get", "head", "bytes", "ranged", "not_modified"), or with path NULL of
 * all
 *  ("requests", "bytes", "connections", "proxied"). 0 for a path never asked for. */
static inline long long origin_process_count(const origin_process *origin, const char *path, const char *what)
{
    json_t *stats = origin_process_stats(origin);
    json_t *counts = path == NULL ? stats : json_object_get(json_object_get(stats, "paths"), path);
    long long count = json_integer_value(json_object_get(counts, what));
    json_decref(stats);
    return count;
}

/** A header of the request number `index` (0 is the first since the reset; negative counts from the last,
 * -1), its name in lower case: copied to out, false when there was none. */
static inline int origin_process_header(const origin_process *origin, int index, const char *name, char *out,
                                        size_t size)
{
    json_t *stats = origin_process_stats(origin);
    json_t *log = json_object_get(stats, "log");
    size_t at = index >= 0 ? (size_t)index : json_array_size(log) - (size_t)-index;
    const char *value =
        json_string_value(json_object_get(json_object_get(json_array_get(log, at), "headers"), name));
    snprintf(out, size, "%s", value != NULL ? value : "");
    json_decref(stats);
    return value != NULL;
}

#endif
