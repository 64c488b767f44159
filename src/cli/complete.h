/*
 * complete.h - `portshim __complete services|environments|commands|options COMMAND`: words for the shells'
 * completion.
 */
#ifndef PORTSHIM_CLI_COMPLETE_H
#define PORTSHIM_CLI_COMPLETE_H

/* Prints one word a line; prints nothing and returns PS_EXIT_NO where it cannot tell, because a shell is waiting. */
int complete_print(int argc, char **argv);

#endif
