/* Descriptors that a fresh process was left with. */
#ifndef BASE_CLOSE_H
#define BASE_CLOSE_H

/** Close every descriptor from number `first` on; those that are not open do not matter. */
void base_close_from(int first);

#endif
