package odata

import (
	"fmt"
	"strconv"
)

// A parser reads a filter from left to right, one token ahead. Each method
// reads one rule of the grammar, and leaves the token after it in tok.
type parser struct {
	text    string
	tok     token
	depth   int
	clauses int
}

func parse(text string) (*node, error) {
	if len(text) > MaxLength {
		return nil, &SyntaxError{MaxLength, fmt.Sprintf("the filter has %d bytes, expected at most %d", len(text), MaxLength)}
	}
	p := &parser{text: text, clauses: 1}
	if err := p.advance(); err != nil {
		return nil, err
	}
	cond, err := p.expression()
	switch {
	case err != nil:
		return nil, err
	case p.tok.kind != tokenEnd:
		return nil, p.unexpected("an operator or the end of the filter")
	case cond.kind != kindBool:
		return nil, fail(cond, "the filter is %v, expected a condition", cond.kind)
	}
	return cond, nil
}

// expression reads conditions combined with or, and anything less.
func (p *parser) expression() (*node, error) {
	return p.chain("or", opOr, func() (*node, error) { return p.chain("and", opAnd, p.comparison) })
}

// chain reads operands with one logical operator between them.
func (p *parser) chain(word string, op op, operand func() (*node, error)) (*node, error) {
	left, err := operand()
	for err == nil && p.tok.is(tokenWord, word) {
		operator := p.tok
		if p.clauses++; p.clauses > MaxClauses {
			return nil, p.unexpected(fmt.Sprintf("at most %d conditions", MaxClauses))
		}
		if err = p.advance(); err != nil {
			break
		}
		var right *node
		if right, err = operand(); err != nil {
			break
		}
		for _, side := range []*node{left, right} {
			if side.kind != kindBool {
				return nil, fail(side, "%v combines conditions, but this side is %v", operator, side.kind)
			}
		}
		left = &node{op: op, kind: kindBool, offset: left.offset, args: []*node{left, right}}
	}
	return left, err
}

// comparison reads a comparison, an in expression, or a single operand. As in
// the published grammar, comparisons do not follow each other without
// parentheses.
func (p *parser) comparison() (*node, error) {
	left, err := p.unary()
	if err != nil || p.tok.kind != tokenWord {
		return left, err
	}
	if p.tok.value == "in" {
		return p.in(left)
	}
	op, ok := comparisons[p.tok.value]
	if !ok {
		return left, nil
	}
	operator := p.tok
	if err := p.advance(); err != nil {
		return nil, err
	}
	right, err := p.unary()
	if err != nil {
		return nil, err
	}
	if op == opEq || op == opNe {
		err = checkEqual(operator, left, right)
	} else {
		err = checkOrder(operator, left, right)
	}
	if err != nil {
		return nil, err
	}
	return &node{op: op, kind: kindBool, offset: left.offset, args: []*node{left, right}}, nil
}

// in reads what follows the left side of an in expression: a list in
// parentheses, or the groups, which may be in parentheses as well.
func (p *parser) in(left *node) (*node, error) {
	operator := p.tok
	if err := p.advance(); err != nil {
		return nil, err
	}
	n := &node{op: opIn, kind: kindBool, offset: left.offset, args: []*node{left}}
	if p.tok.is(tokenPunct, "(") {
		list, err := p.list()
		if err != nil {
			return nil, err
		}
		n.args = append(n.args, list...)
	} else {
		right, err := p.primary()
		if err != nil {
			return nil, err
		}
		if right.kind != kindGroups {
			return nil, fail(right, "%v is followed by %v, expected groups or a list in parentheses", operator, right.kind)
		}
		n.args = append(n.args, right)
	}
	if len(n.args) == 2 && n.args[1].kind == kindGroups {
		if left.kind&maybeText == 0 {
			return nil, fail(left, "the groups are asked for %v, expected a string", left.kind)
		}
		n.op = opInGroups
		return n, nil
	}
	for _, item := range n.args[1:] {
		if err := checkEqual(operator, left, item); err != nil {
			return nil, err
		}
	}
	return n, nil
}

func (p *parser) unary() (*node, error) {
	if !p.tok.is(tokenWord, "not") {
		return p.primary()
	}
	n := &node{op: opNot, kind: kindBool, offset: p.tok.offset}
	if err := p.enter(); err != nil {
		return nil, err
	}
	defer p.leave()
	if err := p.advance(); err != nil {
		return nil, err
	}
	operand, err := p.unary()
	if err != nil {
		return nil, err
	}
	if operand.kind != kindBool {
		return nil, fail(operand, "not is followed by %v, expected a condition; a comparison after not needs parentheses", operand.kind)
	}
	n.args = []*node{operand}
	return n, nil
}

// primary reads a literal, a property, a function call, or anything in
// parentheses.
func (p *parser) primary() (*node, error) {
	t := p.tok
	n := &node{offset: t.offset}
	switch {
	case t.is(tokenPunct, "("):
		return p.parenthesized()
	case t.kind == tokenText:
		n.op, n.kind, n.text = opText, kindText, t.value
	case t.kind == tokenInt:
		// The service's numbers have 32 bits.
		v, err := strconv.ParseInt(t.value, 10, 32)
		if err != nil {
			return nil, &SyntaxError{t.offset, fmt.Sprintf("%v is out of range, expected a number of 32 bits", t)}
		}
		n.op, n.kind, n.num = opInt, kindInt, int(v)
	case t.kind == tokenWord:
		if f, ok := functions[t.value]; ok {
			return p.call(f)
		}
		property, ok := properties[t.value]
		if !ok {
			return nil, p.unexpected("userId, connectionId, groups, protocol, a function, a string in single quotes, a number, true, false or null")
		}
		*n = property
		n.offset = t.offset
	default:
		return nil, p.unexpected("a value")
	}
	return n, p.advance()
}

func (p *parser) parenthesized() (*node, error) {
	if err := p.enter(); err != nil {
		return nil, err
	}
	defer p.leave()
	if err := p.advance(); err != nil {
		return nil, err
	}
	n, err := p.expression()
	if err != nil {
		return nil, err
	}
	return n, p.closing("an operator or )")
}

// call reads a function call.
func (p *parser) call(f function) (*node, error) {
	name := p.tok
	if err := p.advance(); err != nil {
		return nil, err
	}
	if !p.tok.is(tokenPunct, "(") {
		return nil, p.unexpected(fmt.Sprintf("( after the function %v", name))
	}
	args, err := p.list()
	if err != nil {
		return nil, err
	}
	n := &node{op: f.op, kind: f.result, offset: name.offset, args: args}
	if len(args) < f.required || len(args) > len(f.params) {
		want := strconv.Itoa(f.required)
		if f.required < len(f.params) {
			want += " or " + strconv.Itoa(len(f.params))
		}
		return nil, fail(n, "%v has %d arguments, expected %s", name, len(args), want)
	}
	for i, arg := range args {
		if arg.kind&f.params[i] == 0 {
			return nil, fail(arg, "argument %d of %v is %v, expected %v", i+1, name, arg.kind, f.params[i])
		}
	}
	return n, nil
}

// list reads expressions in parentheses, with commas between them and at least
// one of them.
func (p *parser) list() ([]*node, error) {
	if err := p.enter(); err != nil {
		return nil, err
	}
	defer p.leave()
	var items []*node
	for {
		if err := p.advance(); err != nil { // over the parenthesis or the comma
			return nil, err
		}
		item, err := p.expression()
		if err != nil {
			return nil, err
		}
		items = append(items, item)
		if !p.tok.is(tokenPunct, ",") {
			return items, p.closing("a comma or )")
		}
	}
}

func (p *parser) closing(want string) error {
	if !p.tok.is(tokenPunct, ")") {
		return p.unexpected(want)
	}
	return p.advance()
}

func (p *parser) advance() (err error) {
	p.tok, err = next(p.text, p.tok.offset+len(p.tok.raw))
	return err
}

func (p *parser) enter() error {
	if p.depth++; p.depth > MaxDepth {
		return p.unexpected(fmt.Sprintf("at most %d levels of parentheses, functions and nots", MaxDepth))
	}
	return nil
}

func (p *parser) leave() { p.depth-- }

func (p *parser) unexpected(want string) error {
	return &SyntaxError{p.tok.offset, fmt.Sprintf("found %v, expected %s", p.tok, want)}
}

// checkEqual refuses to compare values of different types. Null is of every
// type that has single values.
func checkEqual(operator token, left, right *node) error {
	for _, side := range []*node{left, right} {
		if side.kind == kindGroups {
			return fail(side, "%v compares single values; groups stand after in, and in length(groups)", operator)
		}
	}
	if left.kind != right.kind && left.kind != kindNull && right.kind != kindNull {
		return fail(right, "%v compares %v with %v, expected two values of one type", operator, left.kind, right.kind)
	}
	return nil
}

func checkOrder(operator token, left, right *node) error {
	for _, side := range []*node{left, right} {
		if side.kind&(kindInt|kindNull) == 0 {
			return fail(side, "%v compares numbers, but this side is %v", operator, side.kind)
		}
	}
	return nil
}

func fail(at *node, format string, args ...any) error {
	return &SyntaxError{at.offset, fmt.Sprintf(format, args...)}
}
