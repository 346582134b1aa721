/* Pull a model unless it is here, and classify one picture with it, through the public interface only.
 *
 *     cc classify.c -lcistern -o classify
 *     ./classify https://download.pytorch.org/models/vgg16-397923af.pth vgg16 cat.jpg
 *
 * It compiles as C11 and as C++17.
 */
#include <cistern/cistern.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int fail(const cistern_error *err)
{
    char text[2048];
    cistern_error_format(err, text, sizeof text);
    fprintf(stderr, "classify: %s\n", text);
    return cistern_status_exit_code(err->status);
}

/* A context from the user's configuration and environment. */
static cistern_status make_context(cistern **out, cistern_error *err)
{
    cistern_options *options = NULL;
    cistern_status status = cistern_options_new(&options, err);
    if (status == CISTERN_OK)
        status = cistern_options_load(options, err);
    if (status == CISTERN_OK)
        status = cistern_new(options, out, err);
    cistern_options_free(options);
    return status;
}

/* The second time no request is made: the model is here. */
static cistern_status pull(cistern *c, const char *origin, const char *name, cistern_error *err)
{
    cistern_pull_options options = CISTERN_PULL_OPTIONS_INIT;
    cistern_pull_result result;
    cistern_version *version = NULL;
    memset(&result, 0, sizeof result);
    result.size = sizeof result;
    options.as = name;
    cistern_status status = cistern_pull(c, origin, &options, NULL, &result, &version, err);
    if (status == CISTERN_OK)
        printf("%s:%s, %llu requests\n", cistern_version_name(version), cistern_version_tag(version),
               (unsigned long long)result.requests);
    cistern_version_free(version);
    return status;
}

/* From a picture to logits, with memory that the caller frees. */
static cistern_status infer(cistern_session *s, const char *path, float **out_logits, cistern_error *err)
{
    size_t pixels = (size_t)3 * cistern_session_height(s) * cistern_session_width(s);
    float *x = (float *)malloc(pixels * sizeof *x);
    float *logits = (float *)malloc(cistern_session_classes(s) * sizeof *logits);
    cistern_image *image = NULL;
    cistern_status status = x && logits ? CISTERN_OK : CISTERN_NO_MEMORY;
    if (status != CISTERN_OK)
        err->status = status;
    if (status == CISTERN_OK)
        status = cistern_image_open(path, &image, err);
    if (status == CISTERN_OK)
        status = cistern_session_preprocess(s, image, x, err);
    if (status == CISTERN_OK)
        status = cistern_session_run(s, x, 1, logits, NULL, err);
    cistern_image_free(image);
    free(x);
    if (status == CISTERN_OK)
        *out_logits = logits;
    else
        free(logits);
    return status;
}

static void show(const cistern_model *model, uint32_t classes, const float *logits, float *probabilities)
{
    cistern_prediction top[5];
    uint32_t n = cistern_top(logits, classes, 5, top);
    cistern_softmax(logits, 1, classes, probabilities);
    for (uint32_t i = 0; i < n; i++) {
        const char *label = cistern_version_label(cistern_model_version(model), top[i].class_index);
        printf("%6.2f %%  %s\n", 100.0 * (double)probabilities[top[i].class_index],
               label ? label : "(no name)");
    }
}

static cistern_status classify(cistern *c, const char *name, const char *path, cistern_error *err)
{
    cistern_model *model = NULL;
    cistern_session *session = NULL;
    float *logits = NULL;
    cistern_status status = cistern_model_open(c, name, NULL, &model, err);
    if (status == CISTERN_OK)
        status = cistern_session_new(model, NULL, &session, err);
    if (status == CISTERN_OK)
        status = infer(session, path, &logits, err);
    if (status == CISTERN_OK) {
        uint32_t classes = cistern_session_classes(session);
        float *probabilities = (float *)malloc(classes * sizeof *probabilities);
        if (probabilities)
            show(model, classes, logits, probabilities);
        free(probabilities);
    }
    free(logits);
    cistern_session_free(session);
    cistern_model_free(model);
    return status;
}

int main(int argc, char **argv)
{
    cistern_error err = CISTERN_ERROR_INIT;
    cistern *c = NULL;
    if (argc != 4) {
        fprintf(stderr, "usage: classify ORIGIN NAME IMAGE\n");
        return 2;
    }
    cistern_status status = make_context(&c, &err);
    if (status == CISTERN_OK)
        status = pull(c, argv[1], argv[2], &err);
    if (status == CISTERN_OK)
        status = classify(c, argv[2], argv[3], &err);
    cistern_free(c);
    return status == CISTERN_OK ? 0 : fail(&err);
}
