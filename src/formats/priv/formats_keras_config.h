/* A Keras model's configuration, as data: which layers follow each other. Nothing in it is ever run.
 *
 * Functional and sequential models of Keras 1, 2 and 3, models inside models too, become one list of steps. That they
 * are a chain is checked; what each step has to be for a VGG, formats_keras_model.c says.
 */
#ifndef FORMATS_KERAS_CONFIG_H
#define FORMATS_KERAS_CONFIG_H

#include <jansson.h>
#include "priv/formats_output.h"

typedef enum formats_keras_class {
    FORMATS_KERAS_UNKNOWN = 0,
    FORMATS_KERAS_MODEL, /* never a step: its layers are */
    FORMATS_KERAS_INPUT,
    FORMATS_KERAS_CONV,
    FORMATS_KERAS_BATCH_NORM,
    FORMATS_KERAS_DENSE,
    FORMATS_KERAS_MAX_POOL,
    FORMATS_KERAS_GLOBAL_POOL,
    FORMATS_KERAS_ACTIVATION,
    FORMATS_KERAS_RELU,
    FORMATS_KERAS_SOFTMAX,
    FORMATS_KERAS_FLATTEN,
    FORMATS_KERAS_ZERO_PADDING,
    FORMATS_KERAS_NOTHING,   /* works in training only */
    FORMATS_KERAS_RESCALING, /* these only before the first convolution */
    FORMATS_KERAS_NORMALIZATION,
    FORMATS_KERAS_GET_ITEM, /* Keras 3: one channel, of three that a stack follows */
    FORMATS_KERAS_STACK,
    FORMATS_KERAS_ADD,      /* Keras 3: of a constant */
    FORMATS_KERAS_SLICE,    /* Keras 2: tf.__operators__.getitem */
    FORMATS_KERAS_OPERATOR, /* Keras 2: tf.nn.bias_add */
} formats_keras_class;
#define FORMATS_KERAS_CLASSES (FORMATS_KERAS_OPERATOR + 1)

typedef struct formats_keras_step {
    formats_keras_class class_number;
    const char *name, *class_name; /* borrowed from the document */
    const json_t *layer;           /* all of it */
    const json_t *config;          /* its own; never NULL */
    char *path;  /* "vgg16/block1_conv1": names of the models around it and its own; owned */
    char *place; /* "functional/conv2d_3": the same by class and number; owned */
} formats_keras_step;

typedef struct formats_keras_config {
    json_t *document;
    formats_keras_step *step;
    size_t count, capacity;
    size_t stride; /* between the numbers of two layers of one class in `place`; 0: 1 */
    char why[256]; /* it is no chain, and which layer; "": it is one */
} formats_keras_config;

/**
 * Read a configuration. What is no chain of layers is no failure: out->why says it.
 * @param out  zeroed but `stride`; formats_keras_config_clear() in any case.
 * @param out_lists  false: it lists no layers (a model of one's own class), or is no JSON: nothing follows from it.
 * @retval NO_MEMORY. @retval UNREADABLE  more layers than FORMATS_KERAS_LAYERS_MAX
 */
cistern_status formats_keras_config_read(const void *bytes, size_t n, formats_keras_config *out,
                                         bool *out_lists, cistern_error *err) CISTERN_MUST_CHECK;
void formats_keras_config_clear(formats_keras_config *c);

/** A member that is a text, or an object that names a function ("relu", {"config": "relu"}); NULL: neither. */
const char *formats_keras_config_word(const json_t *config, const char *key);
/** A number, or *otherwise* where the member is absent or null. false: it is something else. */
bool formats_keras_config_number(const json_t *config, const char *key, double otherwise, double *out);
/** A pair of whole numbers: [2, 2], or 2. Absent or null: *otherwise* twice. false: something else. */
bool formats_keras_config_pair(const json_t *config, const char *key, int otherwise, int out[2]);
/** true, or absent with *otherwise* true. */
bool formats_keras_config_flag(const json_t *config, const char *key, bool otherwise);

#endif
