// SPDX-License-Identifier: GPL-2.0
/*
 * What the module is sure of. An operation of fuse that is neither replaced nor known to be harmless might answer from
 * what is cached without a look at the table, so a kernel that has one is refused.
 */
#include "coherency.h"

#include <linux/module.h>

static bool is_known(size_t member, const u16 *known, unsigned int count)
{
	unsigned int i;

	for (i = 0; i < count; i++) {
		if (known[i] == member)
			return true;
	}
	return false;
}

/**
 * coherency_covers - whether a table of operations has none that the module does not know
 * @what:	whose operations they are, for the log
 * @operations:	a struct of pointers
 * @size:	of that struct, in bytes
 * @known:	places of the known members in it, in words
 * @count:	how many are known
 */
bool coherency_covers(const char *what, const void *operations, size_t size, const u16 *known, unsigned int count)
{
	const unsigned long *members = operations;
	size_t i;

	for (i = 0; i < size / sizeof(*members); i++) {
		if (members[i] && !is_known(i, known, count)) {
			pr_err_once("this kernel's operations of %s have one that is not known, at word %zu (%ps); nothing of them can be used\n",
			       what, i, (void *)members[i]);
			return false;
		}
	}
	return true;
}

#ifdef COHERENCY_TESTING
unsigned int coherency_rules_off;
module_param_named(rules_off, coherency_rules_off, uint, 0600);
MODULE_PARM_DESC(rules_off, "rules that are not followed, a bit for each (enum coherency_rule)");
#endif
