/*
 * codes.c - every code that a finding can have. portshim-findings(7) has the same ones, each with an example.
 */
#include "finding.h"

const struct ps_finding_code finding_codes[] = {
	/* The text of a manifest. */
	{ "syntax", "The text is not JSON" },
	{ "utf-8", "The text is not UTF-8" },
	{ "empty", "The file is empty" },
	{ "too-deep", "The text is nested too deeply" },
	{ "too-big", "The file, or a number in it, is too big" },

	/* Its values. */
	{ "duplicate-key", "A key stands twice in one object" },
	{ "duplicate-value", "A value stands twice in one list" },
	{ "unknown-key", "There is no such key" },
	{ "missing-key", "A key is missing" },
	{ "exclusive-keys", "Two keys exclude one another" },
	{ "wrong-type", "A value is of the wrong type" },
	{ "bad-value", "A value is none of those that are possible" },
	{ "bad-protocol", "A protocol is none" },
	{ "bad-scheme", "A scheme is none" },
	{ "bad-report", "A value of \"report\" is none" },
	{ "bad-strategy", "A strategy is none" },
	{ "bad-version", "The version is not 1" },
	{ "bad-name", "A name cannot be one" },
	{ "bad-port", "A number is no port" },
	{ "bad-range", "A range is none" },
	{ "bad-offset", "An offset is none" },
	{ "bad-env", "A variable cannot have this name" },
	{ "bad-template", "A template is wrong" },
	{ "bad-path", "A path names no file" },
	{ "bad-format", "A format of files is none" },
	{ "too-many", "There are too many services" },

	/* What they mean together. */
	{ "unknown-service", "Nothing declares a service of this name" },
	{ "unknown-range", "Nothing declares a range of this name" },
	{ "unknown-profile", "Nothing declares a profile of this name" },
	{ "range-order", "A range ends before it begins" },
	{ "inherit-cycle", "Services inherit from one another in a ring" },
	{ "same-port", "Two services have one port, and nothing tells them apart" },
	{ "same-file", "Two services write one discovery file" },
	{ "conflict", "Services that must not share a port do" },
	{ "offset-range", "A profile's offset makes a number that is no port" },
	{ "unknown-format", "The name of a file does not tell its format" },
	{ "bad-place", "No place in a file can be meant" },
	{ "bad-file", "A discovery file cannot be written there" },

	/* A manifest that is right, with itself. */
	{ "overlapping-ports", "Two services may ask for one port" },
	{ "overlapping-ranges", "Two ranges overlap" },
	{ "unmet-conflict", "Services that must not share a port may ask for the same" },
	{ "outside-range", "A service's port lies outside of its range" },
	{ "unused-range", "Nothing uses a range" },
	{ "second-manifest", "A project has two manifests" },
	{ "profile-overlap", "Two profiles give one port to different services" },
	{ "privileged-port", "A port needs a privilege" },
	{ "browser-port", "Browsers refuse a port" },
	{ "ephemeral-port", "The kernel may give a port to an outgoing connection" },
	{ "ephemeral-range", "The kernel may give a range's ports to outgoing connections" },
	{ "no-effect", "An external service takes no port and yields none" },
	{ "no-way-out", "A service that yields has no other port to go to" },
	{ "never-tried", "A service that insists on its port has others as well" },

	/* With its rules. */
	{ "rule-outside", "A service lies outside of its rule" },
	{ "rule-taken", "A service lies in ports that a rule keeps for others" },
	{ "rule-overlap", "Two rules claim the same ports" },
	{ "rule-contradiction", "Two rules leave a service no port" },

	/* With its files. */
	{ "drift", "A file has another number than the manifest" },
	{ "no-file", "A file cannot be read" },
	{ "outside-file", "A file lies outside of the project" },
	{ "file-syntax", "A file is not of its format" },
	{ "no-place", "A file does not have the place" },
	{ "no-port", "No port stands at a place" },
	{ "no-scalar", "No single value stands at a place" },
	{ "alias", "A place in YAML is an alias" },
	{ "variable", "A variable stands at a place" },
	{ "port-range", "A range of ports stands at a place" },
	{ "several-ports", "Several ports stand at a place" },
	{ "two-places", "A place is there twice" },
	{ "two-ports", "One number would have to be two ports" },
	{ "unstable-place", "A place would not be found again" },

	/* With other projects. */
	{ "other-project", "Another project has the port too" },
	{ "other-external", "An external service is another project's" },
	{ "unknown-project", "A service is from a project that is not known" },
	{ "unknown-source", "A service is from one that is not there" },

	/* With what runs. */
	{ "port-held", "Somebody else holds a port now" },
	{ "external-down", "Nobody has the port of an external service now" },

	{ NULL, NULL },
};
