/* Keras weights: what the two ways of laying them out in HDF5 share. */
#ifndef FORMATS_KERAS_H
#define FORMATS_KERAS_H

#include "priv/formats_container.h"
#include "priv/formats_hdf5.h"
#include "priv/formats_keras_config.h"
#include "priv/formats_layers.h"

/** Tensors of one Keras layer, by role. */
typedef struct formats_keras_layer {
    char *key;                                   /* path of the group that holds them; owned */
    size_t kernel, bias, gamma, beta, mean, var; /* numbers in the index, or FORMATS_NO_TENSOR */
    size_t others;                               /* tensors of one dimension without a known role */
} formats_keras_layer;

typedef struct formats_keras {
    formats_hdf5 h;
    uint32_t number; /* of the file */
    formats_output *out;
    formats_keras_layer *layers; /* in the model's order */
    size_t count, capacity;
    bool theano;       /* it wrote the file: kernels are turned by 180 degrees when they are used */
    bool maybe_theano; /* nobody is named: it did if the kernels' axes are in its order */
    bool turned;       /* some were */
    bool numbered;     /* layers are told by class and number, not by name */
    bool has_config;   /* config lists the layers */
    formats_keras_config config;
    cistern_error *err;
} formats_keras;

typedef enum formats_keras_role {
    FORMATS_KERAS_BY_RANK = 0, /* of one dimension: unknown */
    FORMATS_KERAS_BIAS,
    FORMATS_KERAS_GAMMA,
    FORMATS_KERAS_BETA,
    FORMATS_KERAS_MEAN,
    FORMATS_KERAS_VAR,
} formats_keras_role;

/**
 * Add the dataset at an object as tensor `name` of the layer `key` (a path; made if it is new). Datasets that are no
 * floating numbers (seeds of dropout) are passed over.
 * @param out_added  may be NULL.
 */
cistern_status formats_keras_add(formats_keras *k, uint64_t object, const char *name, const char *key,
                                 formats_keras_role role, bool *out_added) CISTERN_MUST_CHECK;
/** Emit the layers as a VGG. @param note  why their order is not known, or NULL. */
cistern_status formats_keras_finish(formats_keras *k, const char *note) CISTERN_MUST_CHECK;

/** The order of the axes of all its convolutions' kernels. */
formats_axes formats_keras_axes(const formats_keras *k);
/** Emit the layers that k->config lists, or a note that names the one that a VGG has not. */
cistern_status formats_keras_model_emit(formats_keras *k) CISTERN_MUST_CHECK;

/** Keras 1 and 2, and 3 when a name ends in .h5: `layer_names` at `group`. */
cistern_status formats_keras_read_named(formats_keras *k, uint64_t group) CISTERN_MUST_CHECK;
/** Keras 3, .keras and .weights.h5: groups named after classes, numbered. */
cistern_status formats_keras_read_numbered(formats_keras *k,
                                           const formats_hdf5_links *root) CISTERN_MUST_CHECK;

#endif
