/* A framework's graph, as far as a VGG needs it: nodes by name, and the chain from the picture to the logits.
 *
 *   reader: formats_graph_add(…) for each node and each constant, in any order
 *   formats_graph_layers(…)      walks the chain back from an end and tells formats_layers what it met
 *
 * Invariants
 *  1. Texts are borrowed from the file's bytes.
 *  2. Whatever the walk does not know (another operator, stride or padding, two branches) ends it: the tensors stay
 *     under their own names, and a note says what it was. A guess would give wrong predictions.
 *  3. No recursion; a chain has at most FORMATS_CHAIN_MAX nodes, so that a loop ends too.
 */
#ifndef FORMATS_GRAPH_H
#define FORMATS_GRAPH_H

#include "priv/formats_layers.h"
#include "priv/formats_protobuf.h"

#define FORMATS_GRAPH_INPUTS 5 /* looked at; batch norm has five */

typedef enum formats_op {
    FORMATS_OP_OTHER = 0,
    FORMATS_OP_CONSTANT,   /* a tensor of the index, or one that is left out of it */
    FORMATS_OP_INPUT,      /* where the picture comes in */
    FORMATS_OP_PASS,       /* its first input, unchanged (Identity, Dropout …) */
    FORMATS_OP_CONV,       /* x, weight, bias or none */
    FORMATS_OP_ADD,        /* of a constant: a bias */
    FORMATS_OP_BATCH_NORM, /* x, gamma, beta, mean, var */
    FORMATS_OP_RELU,
    FORMATS_OP_MAX_POOL,
    FORMATS_OP_AVERAGE_POOL, /* of 1x1: unchanged */
    FORMATS_OP_TRANSPOSE,
    FORMATS_OP_RESHAPE, /* also Flatten, Squeeze */
    FORMATS_OP_MATMUL,  /* two inputs, one of them constant; Gemm has a bias as third */
    FORMATS_OP_SOFTMAX,
    FORMATS_OP_RSQRT, /* only inside a batch norm that is spelled out: formats_spelled.h */
    FORMATS_OP_MULTIPLY, /* these two there too, else as all that follow before the first convolution: formats_prelude.h */
    FORMATS_OP_SUBTRACT,
    FORMATS_OP_DIVIDE,
    FORMATS_OP_CAST,
    FORMATS_OP_GATHER,
    FORMATS_OP_GATHER_ND,
    FORMATS_OP_REVERSE,
    FORMATS_OP_SLICE,
    FORMATS_OP_STRIDED_SLICE,
} formats_op;

typedef enum formats_padding {
    FORMATS_PADDING_EXPLICIT = 0, /* as `pad` says */
    FORMATS_PADDING_SAME,
    FORMATS_PADDING_VALID,
} formats_padding;

typedef struct formats_node {
    formats_text name; /* of its (first) output */
    formats_text type; /* the operator's own name, for notes */
    formats_op op;
    uint32_t inputs; /* how many of `input` are there */
    formats_text input[FORMATS_GRAPH_INPUTS];
    formats_axes axes;  /* of a convolution's weight */
    bool channels_last; /* of the pictures that it works on (TensorFlow's NHWC) */
    bool transposed[2]; /* MatMul's inputs */
    bool scaled;        /* Gemm's alpha or beta is not 1 */
    double epsilon;     /* 0: not said */
    uint32_t kernel[2]; /* 0: not said */
    uint32_t stride[2];
    uint32_t dilation[2];
    uint32_t pad[4]; /* top, left, bottom, right */
    uint32_t groups;
    formats_padding padding;
    uint32_t perm[4]; /* of a transpose */
    uint32_t perms;   /* how many of them; 0: the axes are reversed; above 4: more than perm holds */
    int32_t axis;     /* of a gather; of a gather by points, how many axes before it are one by one */
    uint32_t mask[5]; /* of a strided slice: begin, end, ellipsis, new axis, shrink axis */
    uint64_t size[4]; /* of an input of four dimensions; 0: not said */
    size_t tensor;    /* of a constant: its number in the index, or FORMATS_NO_TENSOR */
    /* Of TensorFlow's, for those that look further into a SavedModel: */
    uint64_t begin, end;   /* bytes of the file that describe it; 0, 0: none do */
    uint32_t output;       /* which result of its first input it takes */
    formats_text function; /* that it calls */
    formats_text outer;    /* of a function's argument: the node that was handed over */
} formats_node;

typedef struct formats_graph formats_graph;

cistern_status formats_graph_new(formats_graph **out, cistern_error *err) CISTERN_MUST_CHECK;
void formats_graph_free(formats_graph *g);

/** What a node is before anything was read about it: strides and dilations 1, one group. */
void formats_node_init(formats_node *node);
/** Add a copy. @retval UNREADABLE  more than FORMATS_NODES_MAX. @retval NO_MEMORY */
cistern_status formats_graph_add(formats_graph *g, const formats_node *node,
                                 cistern_error *err) CISTERN_MUST_CHECK;
/** A picture that comes in and is no node; only the first FORMATS_PICTURES_MAX count. */
void formats_graph_add_picture(formats_graph *g, formats_text name, const uint64_t size[4]);
/** The dimensions of the picture of this name, or NULL; after formats_graph_settle. */
const uint64_t *formats_graph_picture(const formats_graph *g, formats_text name);
size_t formats_graph_count(const formats_graph *g);
/** The i-th that was added, writable, but for its name after formats_graph_settle; asserts i < count. */
formats_node *formats_graph_get(const formats_graph *g, size_t i);
/** Make names findable. @retval UNREADABLE  two nodes have one name. */
cistern_status formats_graph_settle(formats_graph *g, cistern_error *err) CISTERN_MUST_CHECK;
/** Number of the node of this name, or SIZE_MAX; after formats_graph_settle. */
size_t formats_graph_find(const formats_graph *g, formats_text name);

/** That the chain ends here, so that no end is looked for. */
void formats_graph_end_at(formats_graph *g, formats_text name);
/** Where it was said to end; NULL: nowhere. After formats_graph_settle. */
const formats_node *formats_graph_said_end(const formats_graph *g);

/** The node behind this name, through those that pass their input on; NULL: none. */
const formats_node *formats_graph_behind(const formats_graph *g, formats_text name);

/**
 * Find the chain and emit its layers; a note when it is not one that is known. Sets the index's head.
 * @retval UNREADABLE  as formats_layers_emit. @retval NO_MEMORY
 */
cistern_status formats_graph_layers(const formats_graph *g, formats_output *out,
                                    cistern_error *err) CISTERN_MUST_CHECK;

/**
 * The end of reading: settle, find the layers, note how many tensors of other types there were.
 * @retval as formats_graph_settle and formats_graph_layers.
 */
cistern_status formats_graph_end(formats_graph *g, formats_output *out, uint64_t left_out,
                                 cistern_error *err) CISTERN_MUST_CHECK;

#endif
