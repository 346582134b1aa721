/* Which variable of a SavedModel is which tensor of its checkpoint. */
#ifndef FORMATS_RESTORE_H
#define FORMATS_RESTORE_H

#include "priv/formats_graph.h"

/** A SavedModel's description, as far as it is looked at. Nodes of `functions` are its functions, by name. */
typedef struct formats_saved {
    const formats_file *file;
    uint32_t number; /* of the file */
    formats_output *out;
    formats_graph *main, *functions; /* settled */
    cistern_error *err;
} formats_saved;

/**
 * The nodes of the function that `call`, a node of `outer`, calls: a settled graph. Arguments are nodes, copies of what is
 * handed over.
 * @param result  the name that its only result has inside; empty: it has none or several
 * @param out     NULL: there is no such function, or it takes another number of arguments
 * @retval UNREADABLE  malformed. @retval NO_MEMORY
 */
cistern_status formats_saved_enter(const formats_saved *s, const formats_graph *outer,
                                   const formats_node *call, formats_graph **out,
                                   formats_text *result) CISTERN_MUST_CHECK;

/**
 * Make a constant of every variable of the main graph whose tensor is known: by the operators that restore it from the
 * checkpoint, by the variable that it is a copy of, or, where nothing is restored by a function, by its name.
 * @param restore  the operator that restores all; empty: none is said
 * @retval UNREADABLE  malformed. @retval NO_MEMORY
 */
cistern_status formats_restore(const formats_saved *s, formats_text restore) CISTERN_MUST_CHECK;

#endif
