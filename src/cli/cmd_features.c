/* cistern features: the output of one layer, as a NumPy file.
 *
 * The file is written beside its place and gets its name when every image is in it: its rows are the images in the order
 * of the command, so that one that cannot be read leaves no file.
 */
#include "cli_bring.h"
#include "cli_model.h"
#include "cli_verbs.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define HEADER_MAX 192 /* bytes of a .npy header with shapes of this kind */

typedef struct features_values {
    const char *layer, *output;
    cli_facts facts;
} features_values;

static const cli_option options[] = {
    {"layer", 'l', "NAME", CLI_TEXT, offsetof(features_values, layer),
     "whose output, such as features.28, avgpool or classifier.4"},
    {"output", 'o', "FILE", CLI_TEXT, offsetof(features_values, output), "the .npy file to write"},
    CLI_FACT_ROWS(features_values),
    {NULL, 0, NULL, CLI_FLAG, 0, NULL},
};

static const char *const examples[] = {
    "cistern features vgg16 cat.jpg dog.png --layer avgpool -o features.npy",
    "cistern features ./vgg16_features.pth *.jpg --layer features.30 -o features.npy",
    NULL,
};

typedef struct job {
    cli *c;
    cistern_features *features;
    uint64_t shape[3];
    uint32_t rank, images;
    size_t count; /* floats of one image */
    float *input, *output;
    FILE *file;
    char path[4096];
} job;

static int fail_text(cli *c, cistern_status status, const char *what, const char *path)
{
    cistern_error err = CISTERN_ERROR_INIT;
    int failed = errno;
    err.status = status;
    snprintf(err.text, sizeof err.text, "%s '%.512s': %s", what, path, strerror(failed));
    return cli_fail(c, &err);
}

static int fail_write(job *j)
{
    bool full = errno == ENOSPC || errno == EDQUOT;
    bool denied = errno == EACCES || errno == EPERM || errno == EROFS;
    return fail_text(j->c,
                     full              ? CISTERN_NO_SPACE
                     : denied          ? CISTERN_DENIED
                     : errno == ENOENT ? CISTERN_NOT_FOUND
                                       : CISTERN_UNEXPECTED,
                     "cannot write", j->path);
}

/* NumPy's format 1.0: a dictionary in Python's words, padded so that the data begins at a multiple of 64. */
static int write_header(job *j)
{
    char shape[80], text[HEADER_MAX];
    unsigned char start[10] = {0x93, 'N', 'U', 'M', 'P', 'Y', 1, 0, 0, 0};
    if (j->rank == 1)
        snprintf(shape, sizeof shape, "(%u, %llu)", j->images, (unsigned long long)j->shape[0]);
    else
        snprintf(shape, sizeof shape, "(%u, %llu, %llu, %llu)", j->images, (unsigned long long)j->shape[0],
                 (unsigned long long)j->shape[1], (unsigned long long)j->shape[2]);
    int n = snprintf(text, sizeof text, "{'descr': '<f4', 'fortran_order': False, 'shape': %s, }", shape);
    size_t used = n < 0 ? 0 : (size_t)n, whole = (sizeof start + used + 1 + 63) / 64 * 64 - sizeof start;
    memset(text + used, ' ', sizeof text - used);
    text[whole - 1] = '\n';
    start[8] = (unsigned char)(whole & 0xff);
    start[9] = (unsigned char)(whole >> 8);
    if (fwrite(start, 1, sizeof start, j->file) != sizeof start || fwrite(text, 1, whole, j->file) != whole)
        return fail_write(j);
    return 0;
}

static int prepare(job *j, cistern_model *model, const features_values *v, uint32_t images)
{
    cistern_error err = CISTERN_ERROR_INIT;
    if (cistern_features_new(model, v->layer, NULL, &j->features, &err) != CISTERN_OK)
        return cli_fail(j->c, &err);
    size_t pixels = (size_t)3 * cistern_features_height(j->features) * cistern_features_width(j->features);
    j->images = images;
    j->rank = cistern_features_shape(j->features, j->shape);
    j->count = (size_t)(j->shape[0] * j->shape[1] * j->shape[2]);
    j->input = calloc(pixels, sizeof *j->input);
    j->output = calloc(j->count, sizeof *j->output);
    if (!j->input || !j->output) {
        err.status = CISTERN_NO_MEMORY;
        snprintf(err.text, sizeof err.text, "out of memory: %zu floats wanted", pixels + j->count);
        return cli_fail(j->c, &err);
    }
    if ((size_t)snprintf(j->path, sizeof j->path, "%s.part", v->output) >= sizeof j->path)
        return cli_usage(j->c, "the path of --output has more than %zu bytes", sizeof j->path - 6);
    j->file = fopen(j->path, "wb");
    return j->file ? write_header(j) : fail_write(j);
}

static int one_image(job *j, const char *path, bool keep)
{
    cistern_error err = CISTERN_ERROR_INIT;
    cistern_image *image = NULL;
    cistern_status status = cistern_image_open(path, &image, &err);
    if (status == CISTERN_OK)
        status = cistern_features_preprocess(j->features, image, j->input, &err);
    cistern_image_free(image);
    if (status == CISTERN_OK && keep) {
        cli_call_begin(j->c);
        status = cistern_features_run(j->features, j->input, 1, j->output, j->c->cancel, &err);
        cli_call_end(j->c);
    }
    if (status != CISTERN_OK)
        return cli_fail(j->c, &err);
    /* this machine is little-endian, as the file is */
    if (keep && fwrite(j->output, sizeof(float), j->count, j->file) != j->count)
        return fail_write(j);
    return 0;
}

static int put_in_place(job *j, const char *output)
{
    FILE *file = j->file;
    j->file = NULL;
    bool synced = fflush(file) == 0 && fsync(fileno(file)) == 0;
    if (fclose(file) != 0 || !synced || rename(j->path, output) != 0)
        return fail_write(j);
    return 0;
}

static void tell(job *j, const cistern_model *model, const features_values *v)
{
    const char *reference = cistern_version_reference(cistern_model_version(model));
    term_json json;
    if (!j->c->json) {
        if (j->rank == 1)
            cli_note(j->c, "%s: %u x %llu floats", v->output, j->images, (unsigned long long)j->shape[0]);
        else
            cli_note(j->c, "%s: %u x %llu x %llu x %llu floats", v->output, j->images,
                     (unsigned long long)j->shape[0], (unsigned long long)j->shape[1],
                     (unsigned long long)j->shape[2]);
        return;
    }
    term_json_init(&json, &j->c->out);
    term_json_object(&json, NULL);
    term_json_text(&json, "model",
                   reference[0] ? reference : cistern_version_name(cistern_model_version(model)));
    term_json_text(&json, "layer", v->layer);
    term_json_text(&json, "output", v->output);
    term_json_array(&json, "shape");
    term_json_u64(&json, NULL, j->images);
    for (uint32_t i = 0; i < j->rank; i++)
        term_json_u64(&json, NULL, j->shape[i]);
    term_json_end(&json);
    term_json_end(&json);
}

static int work(job *j, const features_values *v, int count, char **paths, cistern_model *model)
{
    int code = prepare(j, model, v, (uint32_t)count);
    bool usable = code == 0;
    for (int i = 0; usable && i < count; i++) {
        int now = one_image(j, paths[i], code == 0); /* after a failure the others are only looked at */
        code = cli_first(code, now);
        usable = now != cistern_status_exit_code(CISTERN_CANCELLED);
    }
    if (code == 0)
        code = put_in_place(j, v->output);
    if (code == 0)
        tell(j, model, v);
    else if (j->file || usable)
        unlink(j->path);
    return code;
}

static int run(cli *c, const void *values, int count, char **arguments)
{
    const features_values *v = values;
    cistern_error err = CISTERN_ERROR_INIT;
    cistern_model *model = NULL;
    job j = {.c = c};
    cistern_pull_options declared = cli_bring_declared(&v->facts);
    if (!v->layer)
        return cli_usage(c, "--layer is needed, such as --layer avgpool");
    if (!v->output || !v->output[0])
        return cli_usage(c, "--output is needed: the .npy file to write");
    if (cli_model_open(c, arguments[0], &declared, &model, &err) != CISTERN_OK)
        return cli_fail(c, &err);
    int code = work(&j, v, count - 1, arguments + 1, model);
    if (j.file)
        fclose(j.file);
    free(j.input);
    free(j.output);
    cistern_features_free(j.features);
    cistern_model_free(model);
    return code;
}

const cli_verb cmd_features = {
    .name = "features",
    .arguments = "MODEL IMAGE…",
    .summary = "write the output of one layer as a NumPy file",
    .about = "Run images up to one layer and write its output, (images, channels, height, width) or, in the "
             "classifier, (images,\n"
             "outputs), as a .npy file of 32-bit floats. Layers have torchvision's names; an unknown one is "
             "answered with all of\n"
             "them. The output is what a forward hook of PyTorch sees. Files without a classifier are fine. "
             "If one image cannot\n"
             "be read, no file is written.",
    .options = options,
    .examples = examples,
    .least = 2,
    .most = -1,
    .run = run,
};
