/* cistern convert: a model as another kind of file. */
#include "cli_bring.h"
#include "cli_model.h"
#include "cli_verbs.h"
#include "term_units.h"
#include <stdio.h>
#include <string.h>

typedef struct convert_values {
    const char *to, *output;
    unsigned size;
    bool force, external;
    cli_facts facts;
} convert_values;

static const cli_option options[] = {
    {"to", 0, "KIND", CLI_TEXT, offsetof(convert_values, to), "safetensors or onnx"},
    {"output", 'o', "FILE", CLI_TEXT, offsetof(convert_values, output), "the file to write"},
    {"force", 'f', NULL, CLI_FLAG, offsetof(convert_values, force), "replace a file that is there"},
    {"size", 0, "PIXELS", CLI_NUMBER, offsetof(convert_values, size),
     "onnx: height and width of the input (default: the model's)"},
    {"external-data", 0, NULL, CLI_FLAG, offsetof(convert_values, external),
     "onnx: weights into FILE.data (default: above 2 GB)"},
    CLI_FACT_ROWS(convert_values),
    {NULL, 0, NULL, CLI_FLAG, 0, NULL},
};

static const char *const examples[] = {"cistern convert vgg16 --to safetensors -o vgg16.safetensors",
                                       "cistern convert ./vgg16.h5 --to onnx -o vgg16.onnx", NULL};

static void tell(cli *c, const convert_values *v, const cistern_convert_result *r, const cistern_model *model)
{
    char size[TERM_UNITS_MAX];
    cistern_facts f = {.size = sizeof f};
    term_json j;
    cistern_version_facts(cistern_model_version(model), &f);
    if (c->json) {
        term_json_init(&j, &c->out);
        term_json_object(&j, NULL);
        term_json_text(&j, "output", v->output);
        term_json_text(&j, "kind", v->to);
        term_json_u64(&j, "tensors", r->tensors);
        term_json_u64(&j, "bytes", r->bytes);
        term_json_bool(&j, "external_data", r->external != 0);
        term_json_bool(&j, "torchvision_names", r->renamed != 0);
        term_json_bool(&j, "shifted_variances", r->shifted != 0);
        term_json_text_or_null(&j, "preprocess", f.preset);
        term_json_end(&j);
        return;
    }
    term_units_bytes(r->bytes, size);
    cli_note(c, "%s: %llu tensors, %s%s", v->output, (unsigned long long)r->tensors, size,
             r->external ? ", the weights in FILE.data beside it" : "");
    if (!r->renamed)
        cli_note(c, "it is no VGG: tensors keep their names");
    if (r->shifted)
        cli_note(c, "running_var holds what its epsilon has over PyTorch's 1e-5");
    if (r->renamed && strcmp(f.preset, "config") == 0)
        cli_note(c, "its input is prepared as before; to read it here: --config with the same file");
    else if (r->renamed && strcmp(f.preset, "torchvision") != 0)
        cli_note(c, "its input is prepared as before; to read it here: --preprocess %s", f.preset);
}

static int write_file(cli *c, const convert_values *v, cistern_kind kind, const cistern_model *model)
{
    cistern_convert_options o = CISTERN_CONVERT_OPTIONS_INIT;
    cistern_convert_result r = {.size = sizeof r};
    cistern_error err = CISTERN_ERROR_INIT;
    cistern_call call = cli_call(c, v->output);
    o.force = v->force;
    o.external = v->external;
    o.height = o.width = v->size;
    cli_call_begin(c);
    cistern_status status = cistern_convert(model, kind, v->output, &o, &call, &r, &err);
    cli_call_end(c);
    if (status == CISTERN_CONFLICT && !v->force) {
        size_t used = strlen(err.text);
        snprintf(err.text + used, sizeof err.text - used, "; --force replaces it");
    }
    if (status != CISTERN_OK)
        return cli_fail(c, &err);
    tell(c, v, &r, model);
    return 0;
}

static int run(cli *c, const void *values, int count, char **arguments)
{
    (void)count;
    const convert_values *v = values;
    cistern_model *model = NULL;
    cistern_error err = CISTERN_ERROR_INIT;
    cistern_pull_options declared = cli_bring_declared(&v->facts);
    if (!v->to || (strcmp(v->to, "safetensors") != 0 && strcmp(v->to, "onnx") != 0))
        return cli_usage(c, "--to is needed: safetensors or onnx");
    if (!v->output || !v->output[0])
        return cli_usage(c, "--output is needed: the file to write");
    cistern_kind kind = strcmp(v->to, "onnx") == 0 ? CISTERN_KIND_ONNX : CISTERN_KIND_SAFETENSORS;
    if (kind == CISTERN_KIND_SAFETENSORS && (v->size || v->external))
        return cli_usage(c, "--size and --external-data are for --to onnx");
    if (cli_model_open(c, arguments[0], &declared, &model, &err) != CISTERN_OK)
        return cli_fail(c, &err);
    int code = write_file(c, v, kind, model);
    cistern_model_free(model);
    return code;
}

const cli_verb cmd_convert = {
    .name = "convert",
    .arguments = "MODEL",
    .summary = "write a model as safetensors or ONNX",
    .about = "Write a model, a reference or a weight file, as another kind of file. No framework is needed.\n"
             "safetensors: a VGG by torchvision's names and shapes, with its elements as they are stored; "
             "any other "
             "model by its\n"
             "own names. onnx: the network itself, 32-bit floats, operator set 13, which ends in logits, for "
             "any number "
             "of images of\n"
             "one size. The file appears whole or not at all. How pictures are prepared does not change: "
             "weights of "
             "Keras want blue\n"
             "first in either kind.",
    .options = options,
    .examples = examples,
    .least = 1,
    .most = 1,
    .run = run,
};
