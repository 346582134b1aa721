/* Every logit of one picture, with all that a program of its own would want: messages, progress, ^C, the guard.
 *
 *     cc logits.c $(pkg-config --cflags --libs cistern) -o logits
 *     ./logits torchvision:vgg16 vgg16 cat.jpg
 *
 * Logits go to standard output, one a line; the rest to standard error. logits.cpp and logits.py do the same.
 */
#include <cistern/cistern.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static cistern_cancel *cancel; /* what ^C sets */

static void on_interrupt(int number)
{
    (void)number;
    cistern_cancel_set(cancel);
}

static void on_log(void *user, int level, const char *line)
{
    static const char *const words[] = {"warning", "note", "detail"};
    (void)user;
    fprintf(stderr, "%s: %s\n", words[level], line);
}

/* At most ten times a second; the last call of a step says so. */
static void on_progress(void *user, const cistern_progress *p)
{
    unsigned long long *steps = user;
    if (p->last) {
        ++*steps;
        fprintf(stderr, "%s: %llu bytes\n", p->step, (unsigned long long)p->done);
    }
}

static cistern_status make_context(cistern **out, cistern_error *err)
{
    cistern_options *options = NULL;
    cistern_status status = cistern_options_new(&options, err);
    if (status == CISTERN_OK)
        status = cistern_options_load(options, err);
    if (status == CISTERN_OK) {
        cistern_options_set_log(options, on_log, NULL);
        status = cistern_new(options, out, err);
    }
    cistern_options_free(options);
    return status;
}

static cistern_status pull(cistern *c, const char *origin, const char *name, const cistern_call *call,
                           cistern_error *err)
{
    cistern_pull_options options = CISTERN_PULL_OPTIONS_INIT;
    cistern_pull_result result = {.size = sizeof result};
    cistern_version *version = NULL;
    memset(&result, 0, sizeof result);
    result.size = sizeof result;
    options.as = name;
    cistern_status status = cistern_pull(c, origin, &options, call, &result, &version, err);
    if (status == CISTERN_OK)
        fprintf(stderr, "%s: %llu requests\n", cistern_version_reference(version),
                (unsigned long long)result.requests);
    cistern_version_free(version);
    return status;
}

static cistern_status print_logits(cistern_session *s, const char *path, cistern_error *err)
{
    uint32_t classes = cistern_session_classes(s);
    float *x = malloc(sizeof *x * 3 * cistern_session_height(s) * cistern_session_width(s));
    float *logits = malloc(sizeof *logits * classes);
    cistern_image *image = NULL;
    cistern_status status = x && logits ? CISTERN_OK : CISTERN_NO_MEMORY;
    err->status = status;
    if (status == CISTERN_OK)
        status = cistern_image_open(path, &image, err);
    if (status == CISTERN_OK)
        status = cistern_session_preprocess(s, image, x, err);
    if (status == CISTERN_OK)
        status = cistern_session_run(s, x, 1, logits, cancel, err);
    for (uint32_t i = 0; status == CISTERN_OK && i < classes; i++)
        printf("%.9g\n", (double)logits[i]);
    cistern_image_free(image);
    free(logits);
    free(x);
    return status;
}

static cistern_status run(cistern *c, const char *name, const char *path, const cistern_call *call,
                          cistern_error *err)
{
    cistern_model *model = NULL;
    cistern_session *session = NULL;
    cistern_status status = cistern_model_open(c, name, call, &model, err);
    if (status == CISTERN_OK)
        status = cistern_session_new(model, NULL, &session, err);
    if (status == CISTERN_OK)
        status = print_logits(session, path, err);
    cistern_session_free(session);
    cistern_model_free(model);
    return status;
}

static int fail(const cistern_error *err)
{
    char text[2048];
    cistern_error_format(err, text, sizeof text);
    fprintf(stderr, "logits: %s\n", text);
    return cistern_status_exit_code(err->status);
}

int main(int argc, char **argv)
{
    cistern_error err = CISTERN_ERROR_INIT;
    cistern_call call = CISTERN_CALL_INIT;
    cistern *c = NULL;
    unsigned long long steps = 0;
    if (argc != 4) {
        fprintf(stderr, "usage: logits ORIGIN NAME IMAGE\n");
        return 2;
    }
    cistern_status status = cistern_cancel_new(&cancel, &err);
    if (status == CISTERN_OK)
        status = cistern_sigbus_guard(&err); /* a truncated weight file becomes a status */
    if (status == CISTERN_OK && signal(SIGINT, on_interrupt) == SIG_ERR)
        status = err.status = CISTERN_UNEXPECTED;
    if (status == CISTERN_OK)
        status = make_context(&c, &err);
    call.cancel = cancel;
    call.progress = on_progress;
    call.user = &steps;
    if (status == CISTERN_OK)
        status = pull(c, argv[1], argv[2], &call, &err);
    if (status == CISTERN_OK)
        status = run(c, argv[2], argv[3], &call, &err);
    cistern_free(c);
    int code = status == CISTERN_OK ? 0 : fail(&err);
    if (cancel)
        signal(SIGINT, SIG_DFL);
    cistern_cancel_free(cancel);
    return code;
}
