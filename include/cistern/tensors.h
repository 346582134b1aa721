/* Looking into weights: figures of a tensor, how two models differ, a model as another kind of file. */
#ifndef CISTERN_TENSORS_H
#define CISTERN_TENSORS_H

#include <cistern/model.h>

#ifdef __cplusplus
extern "C" {
#endif

/** Foreign files' tensors are in a model twice: under their own names and axes, and as views of the same bytes under
 *  torchvision's. Whether tensor i is such a view. @param out  the tensor that has its bytes. */
CISTERN_API int cistern_model_tensor_view_of(const cistern_model *model, size_t i, size_t *out);

typedef struct cistern_tensor_stats {
    size_t size;
    uint64_t count, nans, infinities;
    double minimum, maximum, mean; /* over what is not NaN; NaN where nothing is left */
} cistern_tensor_stats;
/** Read all of a tensor. The result does not depend on the number of threads.
 *  @param cancel  NULL allowed. @retval CISTERN_USAGE  no such tensor. @retval CISTERN_CANCELLED, CISTERN_DAMAGED, CISTERN_NO_MEMORY */
CISTERN_API cistern_status cistern_model_tensor_stats(const cistern_model *model, size_t i,
                                                      cistern_cancel *cancel, cistern_tensor_stats *out,
                                                      cistern_error *err) CISTERN_MUST_CHECK;

typedef enum cistern_change {
    CISTERN_CHANGE_NONE = 0,
    CISTERN_CHANGE_VALUES = 1,
    CISTERN_CHANGE_DTYPE = 2, /* the values are equal */
    CISTERN_CHANGE_SHAPE = 3, /* then values are not compared */
    CISTERN_CHANGE_LEFT = 4,  /* only the first model has it */
    CISTERN_CHANGE_RIGHT = 5
} cistern_change;

/** One tensor of two models; borrowed for the call-back. */
typedef struct cistern_tensor_change {
    size_t size;
    cistern_change change;
    const char *name;                   /* torchvision's, of what is in a VGG; else its own */
    const cistern_tensor *left, *right; /* shapes as compared; NULL: absent */
    int counts; /* 0: no layer uses it, and it does not make the models different (counters of training …) */
    uint64_t count, differing; /* elements; differing includes those that are NaN on one side only */
    double max_absolute;       /* largest difference of numbers */
    double relative;           /* that divided by the largest magnitude in the left; NaN where that is 0 */
    uint64_t at;               /* element with the largest difference, in the order of the shape */
} cistern_tensor_change;
typedef void (*cistern_tensor_change_fn)(void *user, const cistern_tensor_change *change);

/** A fact that two models do not share; borrowed for the call-back. */
typedef struct cistern_fact_change {
    size_t size;
    const char *name, *left, *right; /* "preprocessing", "torchvision", "keras" */
    int counts;                      /* it changes what the network computes from the same numbers */
} cistern_fact_change;
typedef void (*cistern_fact_change_fn)(void *user, const cistern_fact_change *change);

typedef struct cistern_diff_result {
    size_t size;
    int same;    /* the same network: nothing that counts differs */
    int by_role; /* both are VGGs: tensors were compared by the layers that they belong to */
    uint64_t equal, different, only_left, only_right; /* tensors that count */
    uint64_t unused;                                  /* other tensors that differ or are on one side only */
    uint64_t facts;                                   /* that differ */
} cistern_diff_result;

/**
 * Compare two models: of two VGGs the tensors of the same layers, whatever their files call them and however they lay
 * them out, and everything else by name. The kind of file and the preprocessing are facts that do not count.
 * @param tensor  called for every tensor, equal ones too. @param fact  for each that differs. NULL allowed for both.
 * @retval CISTERN_CANCELLED, CISTERN_DAMAGED, CISTERN_NO_MEMORY; that they differ is no failure.
 */
CISTERN_API cistern_status cistern_diff(const cistern_model *left, const cistern_model *right,
                                        const cistern_call *call, cistern_tensor_change_fn tensor,
                                        cistern_fact_change_fn fact, void *user, cistern_diff_result *out,
                                        cistern_error *err) CISTERN_MUST_CHECK;

typedef enum cistern_kind { CISTERN_KIND_SAFETENSORS = 1, CISTERN_KIND_ONNX = 2 } cistern_kind;

typedef struct cistern_convert_options {
    size_t size;
    int force;              /* replace a file that is there */
    uint32_t height, width; /* of ONNX: pixels of the input; 0: the model's own */
    int external;           /* of ONNX: weights in a file beside it, also where they would fit into one */
} cistern_convert_options;
#define CISTERN_CONVERT_OPTIONS_INIT                                                                         \
    {                                                                                                        \
        sizeof(cistern_convert_options), 0, 0, 0, 0                                                          \
    }

typedef struct cistern_convert_result {
    size_t size;
    uint64_t tensors, bytes; /* of all files */
    int external;            /* weights are in "<path>.data" */
    int renamed;             /* torchvision's names, instead of its own: it is a VGG */
    int shifted;             /* batch norms: running_var holds what a reader's epsilon of 1e-5 does not */
} cistern_convert_result;

/**
 * Write a model as another kind of file. It appears whole or not at all.
 *
 * safetensors: a VGG by torchvision's names and shapes, any other model by its own; elements as they are stored. Where batch
 * norms add something else than PyTorch's 1e-5 to the variance, running_var holds the difference too.
 * ONNX: the network (operator set 13), f32; it ends in logits, or without a classifier in the last pooling.
 * Neither says how a picture is prepared: see cistern_version_facts (ONNX has it as metadata).
 * @param path  its directory must be there. @param options  NULL: defaults. @param result  NULL allowed.
 * @retval CISTERN_CONFLICT  the file is there, and force is not set. @retval CISTERN_UNREADABLE  ONNX of what is no VGG.
 * @retval CISTERN_USAGE, CISTERN_NOT_FOUND, CISTERN_NO_SPACE, CISTERN_DENIED, CISTERN_DAMAGED, CISTERN_CANCELLED
 */
CISTERN_API cistern_status cistern_convert(const cistern_model *model, cistern_kind kind, const char *path,
                                           const cistern_convert_options *options, const cistern_call *call,
                                           cistern_convert_result *result,
                                           cistern_error *err) CISTERN_MUST_CHECK;

#ifdef __cplusplus
}
#endif
#endif
