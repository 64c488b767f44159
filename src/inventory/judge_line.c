/*
 * judge_line.c - is this number a port, by what its whole line or function says.
 */
#include "judge.h"

/* (unsigned short)8080 */
uint32_t judge_before_cast(const struct walk *w, uint32_t before)
{
	uint32_t at = before;

	if (!judge_is_op(judge_token(w, at), OP1(')')))
		return before;
	while (before - at < 3 && judge_is_word(w, judge_token(w, at - 1),
						"unsigned short int uint16_t in_port_t u_short long char quint16"))
		at--;
	return at < before && judge_is_op(judge_token(w, at - 1), OP1('(')) ? at - 2 : before;
}

/* True if the innermost function around is called like a port: getPort, default_port. */
static bool in_port_function(const struct walk *w)
{
	const struct ps_token *name = &w->function;

	for (unsigned i = w->depth; i > 0; i--)
		if (w->frames[i].name.kind != PS_TOKEN_END) {
			if (name->kind == PS_TOKEN_END || w->frames[i].name.from > name->from)
				name = &w->frames[i].name;
			break;
		}
	return judge_portness(w, name) == PS_PORT && !words_port_first(judge_inner(w, name), judge_length(name)) &&
	       !judge_has_word(w, name, "is has check wait valid validate test parse set with");
}

/* What a whole line says: `return 3000` in a function for ports, `assert port == 3000`, `x.port shouldBe 3000`, and
 * `host, port = "localhost", 3000`. */
bool judge_in_line(const struct walk *w, uint32_t number, unsigned port, struct verdict *v)
{
	const struct ps_token *p = judge_token(w, number - 1), *q = judge_token(w, number - 2);
	const struct frame *f = &w->frames[w->depth];
	bool remote, capitals;

	if (port >= 80 && (f->open == '{' || w->depth == 0) &&
	    (judge_is_word(w, p, "return do") || judge_is_op(p, OP2('=', '>')) ||
	     (judge_is_op(p, OP1(':')) && judge_is_word(w, q, "do")) ||
	     (judge_is_op(p, OP1('=')) && judge_is_op(q, OP1(')')))) &&
	    in_port_function(w))
		return judge_set(v, PS_USE_CONFIG, PS_LIKELY);
	/* return x ? 443 : 8080; fun port() = if (x) 443 else 8080 */
	if (port >= 80 && (f->open == '{' || w->depth == 0) && in_port_function(w) &&
	    (((judge_is_op(p, OP1('?')) || judge_is_op(p, OP1(':'))) && judge_is_word(w, judge_line(w), "return")) ||
	     (w->s->language == PS_LANG_KOTLIN && (judge_is_word(w, p, "else") || judge_is_op(p, OP1(')'))))))
		return judge_set(v, PS_USE_CONFIG, PS_LIKELY);
	/* "server.port" to "8080" */
	if (w->s->language == PS_LANG_KOTLIN && judge_is_word(w, p, "to"))
		return judge_portness(w, q) == PS_PORT && judge_set(v, PS_USE_CONFIG, PS_CERTAIN);
	/* let port: u16 = match ... { Err(_) => 8080 } */
	if (judge_is_op(p, OP2('=', '>')) && f->open == '{' && w->depth > 0 && port >= 80 &&
	    w->s->language == PS_LANG_RUST && judge_portness(w, judge_key(w, w->depth - 1)) == PS_PORT)
		return judge_set(v, PS_USE_DEFAULT, PS_LIKELY);
	if (judge_is_op(p, OP2('=', '=')) && judge_is_word(w, judge_line(w), "assert"))
		return judge_names_port(w, w->line, number - 1, &capitals) && judge_set(v, PS_USE_CONFIG, PS_LIKELY);
	if (judge_is_word(w, p, "shouldBe shouldEqual"))
		return judge_names_port(w, f->segment, number - 1, &capitals) && judge_set(v, PS_USE_CONFIG, PS_LIKELY);
	return w->depth == 0 && judge_is_op(p, OP1(',')) && q->kind == PS_TOKEN_STRING &&
	       words_host(judge_inner(w, q), judge_length(q), &remote) &&
	       judge_names_port(w, f->segment, number - 2, &capitals) && judge_set(v, PS_USE_CONFIG, PS_LIKELY);
}
