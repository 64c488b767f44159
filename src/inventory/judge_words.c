/*
 * judge_words.c - is this number a port, where the tokens are words: shells, YAML, configuration files, commands in
 * strings.
 */
#include "judge.h"

#include <string.h>

static bool is_named_value(const struct walk *w, const struct ps_token *p)
{
	const char *text = w->s->text + p->from;
	size_t length = p->until - p->from;

	return p->kind == PS_TOKEN_NAME && length > 2 && text[0] == '-' && words_port(text, length) == PS_PORT;
}

/* An option, or the name of a program that takes a port. */
static bool after_option(const struct walk *w, uint32_t before, unsigned port, struct verdict *v)
{
	const struct ps_token *p = judge_token(w, before), *line = judge_line(w), *q = judge_token(w, before - 1);

	if (is_named_value(w, p) || judge_is_word(w, p, "http.server SimpleHTTPServer runserver"))
		return judge_set(v, PS_USE_CONFIG, PS_CERTAIN);
	if (judge_is_word(w, p, "--inspect --inspect-brk --inspect-functions --serve --listen") && port >= 1000)
		return judge_set(v, PS_USE_LISTEN, PS_CERTAIN);
	if (judge_is_word(w, p, "http tcp") && judge_is_word(w, q, "ngrok lt"))
		return judge_set(v, PS_USE_CONNECT, PS_CERTAIN);
	while (p->kind == PS_TOKEN_NUMBER && before > w->line) /* kill-port 3000 3001 */
		p = judge_token(w, --before);
	if (judge_is_word(w, p, "kill-port") ||
	    (port >= 1000 && p->kind == PS_TOKEN_NAME && judge_inner(w, p)[0] != '-' &&
	     judge_is_word(w, judge_token(w, before - 1), "start-server-and-test wait-port")))
		return judge_set(v, PS_USE_CONFIG, PS_CERTAIN);
	if (judge_is_word(w, p, "--expose --publish"))
		return judge_set_inside(v, true);
	if (judge_is_word(w, p, "-p") && (port >= 1000 || port == 80 || port == 443) &&
	    !judge_is_word(w, q, "mkdir cp touch") && !judge_is_word(w, line, "mkdir cp touch"))
		return judge_set(v,
				 judge_is_word(w, line, "ssh psql redis-cli mysql nc") ? PS_USE_CONNECT : PS_USE_CONFIG,
				 PS_CERTAIN);
	if (judge_is_word(w, p, "-P -l") && port >= 1000 &&
	    judge_is_word(w, line, "ssh scp sftp mysql nc ncat serve npx mysqldump psql"))
		return judge_set(v, PS_USE_CONNECT, PS_CERTAIN);
	return judge_is_word(w, p, "-lp -lk -lu -ul -klp -nlp -lnp -lkp") && port >= 80 &&
	       judge_set(v, PS_USE_LISTEN, PS_CERTAIN);
}

/* nc -z localhost 5432; ngrok http 3000 */
static bool after_client(const struct walk *w, uint32_t before, struct verdict *v)
{
	const struct ps_token *p = judge_token(w, before);
	bool remote;

	if (p->kind != PS_TOKEN_NAME ||
	    (!words_host(judge_inner(w, p), judge_length(p), &remote) && !lex_is_alpha(w->s->text[p->from])))
		return false;
	for (uint32_t i = before - 1; i >= w->line && i > 0 && before - i < 8; i--)
		if (judge_is_word(w, judge_token(w, i), "nc ncat telnet"))
			return judge_set(v, PS_USE_CONNECT, PS_CERTAIN);
	return false;
}

/* By the first word of the line: EXPOSE 80 443; ENV PORT 80; listen 80; port 6379; for port in 3000 3001. */
static bool on_line(const struct walk *w, uint32_t before, struct verdict *v)
{
	const struct ps_token *p = judge_token(w, before), *line = judge_line(w);
	bool remote;

	/* replicaof 10.0.0.5 6379 */
	if ((w->language->flags & LANG_DIRECTIVE) && before == w->line + 1 &&
	    judge_is_word(w, line, "replicaof slaveof server remote proxy upstream backend connect"))
		return words_host(judge_inner(w, p), judge_length(p), &remote) &&
		       judge_set(v, PS_USE_CONNECT, PS_CERTAIN);
	if (w->s->language == PS_LANG_DOCKERFILE && judge_is_word(w, line, "EXPOSE expose"))
		return judge_set_inside(v, true);
	if (w->s->language == PS_LANG_DOCKERFILE && judge_is_word(w, line, "ENV ARG"))
		return judge_portness(w, p) == PS_PORT && before == w->line + 1 &&
		       judge_set(v, PS_USE_CONFIG, PS_CERTAIN);
	/* proxy_set_header X-Forwarded-Port 8443; and not: if ($arg_port = 8080) */
	if ((w->language->flags & LANG_DIRECTIVE) && before == w->line + 1 && judge_portness(w, p) == PS_PORT &&
	    judge_has_word(w, line, "header param env"))
		return judge_set(v, PS_USE_CONFIG, PS_CERTAIN);
	if ((w->language->flags & LANG_DIRECTIVE) && before == w->line &&
	    (judge_is_word(w, p, "listen Listen") || judge_portness(w, p) == PS_PORT))
		return judge_set(v, PS_USE_LISTEN, PS_CERTAIN);
	return judge_is_word(w, line, "for") && judge_portness(w, judge_token(w, w->line + 1)) != PS_NO_PORT &&
	       judge_is_word(w, judge_token(w, w->line + 2), "in") && judge_set(v, PS_USE_CONFIG, PS_LIKELY);
}

static bool after_word(const struct walk *w, uint32_t before, unsigned port, struct verdict *v)
{
	if (before < w->line)
		return false;
	if (after_option(w, before, port, v))
		return true;
	return !(w->language->flags & LANG_EMBEDDED) && (on_line(w, before, v) || after_client(w, before, v));
}

/* YAML: an item of the list under a key. */
static bool in_item(const struct walk *w, uint32_t before, struct verdict *v)
{
	const struct ps_token *p = judge_token(w, before), *key = judge_key(w, w->depth);

	if (!judge_is_word(w, p, "-") || !p->line)
		return false;
	if (judge_is_word(w, key, "expose") && w->s->language == PS_LANG_COMPOSE)
		return judge_set_inside(v, true);
	if (is_named_value(w, judge_token(w, before - 1)))
		return judge_set(v, PS_USE_CONFIG, PS_CERTAIN);
	return judge_portness(w, key) != PS_NO_PORT && judge_set_inside(v, true);
}

bool judge_words(const struct walk *w, uint32_t number, unsigned port, struct verdict *v)
{
	uint32_t before = number - 1;
	const struct ps_token *p = judge_token(w, before), *key = judge_key(w, w->depth), *t = judge_token(w, number);

	if (w->inherited == PS_PORTS && port >= 80)
		return judge_set(v, PS_USE_CONFIG, PS_CERTAIN);
	/* ufw allow 8080/tcp; PORTS=3000,3001 */
	if (w->s->language == PS_LANG_SHELL && t->until - t->outer == 4 &&
	    !judge_is_word(w, p, "--expose -p --publish"))
		return judge_set(v, PS_USE_CONFIG, PS_CERTAIN);
	if (judge_is_op(p, OP1(',')) && judge_token(w, before - 1)->kind == PS_TOKEN_NUMBER && port >= 1000 &&
	    judge_portness(w, judge_token(w, w->line)) == PS_PORTS)
		return judge_set(v, PS_USE_CONFIG, PS_CERTAIN);
	if (w->language->flags & LANG_INDENT && in_item(w, before, v))
		return true;
	if (after_word(w, before, port, v) || (judge_is_op(p, OP1(',')) && judge_after(w, before, port, v)))
		return true;
	/* <port>8080</port> */
	if (w->s->language == PS_LANG_MARKUP && judge_is_op(p, OP1('>')))
		return judge_portness(w, judge_token(w, before - 1)) == PS_PORT &&
		       judge_is_op(judge_token(w, before - 2), OP1('<')) && judge_set(v, PS_USE_CONFIG, PS_CERTAIN);
	if (t->line && !(w->language->flags & LANG_INDENT))
		return false;
	if (w->s->language == PS_LANG_NGINX && judge_is_word(w, judge_line(w), "if"))
		return false;
	if (judge_is_op(p, OP1('=')) ||
	    (judge_is_op(p, OP1(':')) && (w->many || !(w->language->flags & LANG_EMBEDDED))) ||
	    judge_is_op(p, OP2('?', '=')) || judge_is_op(p, OP2(':', '='))) {
		if (judge_in_value(w, w->depth, before, port, v)) {
			/* What stands after a name in a Kubernetes or compose file may be the container's own. */
			v->inside = v->inside || judge_has_word(w, key, "container target");
			return true;
		}
		return false;
	}
	/* expose: ["3000"] */
	if (w->s->language == PS_LANG_COMPOSE && w->depth > 0 && w->frames[w->depth].open == '[' &&
	    judge_is_word(w, judge_key(w, w->depth - 1), "expose"))
		return judge_set_inside(v, true);
	return judge_in_list(w, w->depth, before, port, v);
}
