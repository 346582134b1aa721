/* One opcode of the pickle machine at a time. */
#ifndef FORMATS_OPCODE_H
#define FORMATS_OPCODE_H

#include "priv/formats_pickle.h"

/** The PROTO that must come first. */
cistern_status formats_opcode_protocol(formats_pickle *p) CISTERN_MUST_CHECK;
/** Read and carry out the next opcode; STOP sets p->root. @retval UNREADABLE, NO_MEMORY */
cistern_status formats_opcode_step(formats_pickle *p) CISTERN_MUST_CHECK;

#endif
