/* Batch norms that are spelled out, as Keras 3 writes them. */
#ifndef FORMATS_SPELLED_H
#define FORMATS_SPELLED_H

#include "priv/formats_graph.h"

typedef struct formats_spelled {
    formats_text x; /* what is normalised */
    size_t gamma, beta, mean,
        var; /* vectors of the index; of a folded one gamma and beta are its factor and summand, of
                                      the shape [1, channels, 1, 1], and there is neither mean nor variance */
    bool folded;
    double epsilon; /* of one that is not folded */
} formats_spelled;

/** Whether this sum ends a batch norm. */
bool formats_spelled_match(const formats_graph *g, const formats_output *out, const formats_node *add,
                           formats_spelled *found);
/** Its layer. Of a folded one, vectors for what it has and has not are added to the index. @retval as model_index_add */
cistern_status formats_spelled_layer(formats_output *out, const formats_node *add, const formats_spelled *s,
                                     formats_layer *layer, cistern_error *err) CISTERN_MUST_CHECK;

#endif
