/* What a graph does to the picture before its first convolution: arithmetic with constants, and turning the channels round.
 *
 * It is followed as y = factor * x + offset for each channel, and becomes what a program that hands over plain pictures
 * has to do instead (model_said): mean, deviation, order of the colours, and whether pixels run to 1 or to 255.
 */
#ifndef FORMATS_PRELUDE_H
#define FORMATS_PRELUDE_H

#include "priv/formats_graph.h"

/** Where a picture's channels are. */
typedef enum formats_channels {
    FORMATS_CHANNELS_UNKNOWN = 0,
    FORMATS_CHANNELS_FIRST, /* axis 1 of 4 */
    FORMATS_CHANNELS_LAST,  /* axis 3 */
    FORMATS_CHANNELS_OUTER, /* axis 0, pictures behind them: where PyTorch's exporter takes from them by points */
} formats_channels;

typedef struct formats_prelude {
    double factor[3], offset[3]; /* in the order of the channels as it is by now */
    bool arithmetic, turned;
    formats_channels channels;
} formats_prelude;

#define FORMATS_PRELUDE_INIT                                                                                 \
    {                                                                                                        \
        .factor = { 1, 1, 1 }                                                                                \
    }

/** y = factor * x + offset on top of what was. @param n  of factors and offsets: 1 or 3. */
void formats_prelude_affine(formats_prelude *p, const double *factor, const double *offset, size_t n);
/** The channels in the opposite order. */
void formats_prelude_turn(formats_prelude *p);
/** That the channels are there. false: they were elsewhere before. */
bool formats_prelude_channels(formats_prelude *p, formats_channels where);

/** A node in front of the first convolution. @return NULL, or why it is not followed. */
const char *formats_prelude_take(formats_prelude *p, const formats_graph *g, const formats_output *out,
                                 const formats_node *n);
/**
 * The first convolution is reached: out->said gets what was gathered, and a note says so.
 * @return NULL, or why it cannot be told what the picture should be.
 */
const char *formats_prelude_end(const formats_prelude *p, formats_output *out);

#endif
