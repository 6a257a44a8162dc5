package main

import (
	"bytes"
	"errors"
	"fmt"
	"go/ast"
	"go/constant"
	"go/parser"
	"go/printer"
	"go/token"
	"go/types"
	"slices"
	"strings"
)

// declarations collects the lines of one package.
type declarations struct {
	fset  *token.FileSet
	info  *types.Info
	lines []string
}

// exported are the declarations that a package's files export, a line each, sorted: fields and methods have lines of their own, constants their
// values.
func exported(paths []string) ([]string, error) {
	d := &declarations{fset: token.NewFileSet(), info: &types.Info{Defs: map[*ast.Ident]types.Object{}}}
	var files []*ast.File
	for _, path := range paths {
		f, err := parser.ParseFile(d.fset, path, nil, parser.SkipObjectResolution)
		if err != nil {
			return nil, err
		}
		files = append(files, f)
	}
	// Only for what constants are: what other packages declare is not looked up, and that it is missing is no error here.
	check := types.Config{IgnoreFuncBodies: true, Error: func(error) {}, Importer: nothing{}}
	_, _ = check.Check("", d.fset, files, d.info)
	for _, f := range files {
		ast.FileExports(f)
		for _, declaration := range f.Decls {
			switch declaration := declaration.(type) {
			case *ast.FuncDecl:
				declaration.Body = nil
				if declaration.Recv == nil || receiver(declaration.Recv.List[0].Type).IsExported() {
					d.add("%s", d.text(declaration))
				}
			case *ast.GenDecl:
				for _, spec := range declaration.Specs {
					d.spec(declaration.Tok, spec)
				}
			}
		}
	}
	slices.Sort(d.lines)
	return d.lines, nil
}

// nothing imports nothing.
type nothing struct{}

func (nothing) Import(path string) (*types.Package, error) { return nil, errors.New("not looked up") }

func (d *declarations) add(format string, arguments ...any) {
	d.lines = append(d.lines, strings.Join(strings.Fields(fmt.Sprintf(format, arguments...)), " "))
}

// text is a node as gofmt writes it.
func (d *declarations) text(node any) string {
	var b bytes.Buffer
	if err := printer.Fprint(&b, d.fset, node); err != nil {
		panic(fmt.Sprintf("api: a node that was parsed is not printed: %v", err))
	}
	return b.String()
}

func (d *declarations) spec(kind token.Token, spec ast.Spec) {
	switch spec := spec.(type) {
	case *ast.ValueSpec:
		for i, name := range spec.Names {
			var expression ast.Expr
			if i < len(spec.Values) {
				expression = spec.Values[i]
			}
			d.value(kind, name, spec.Type, expression)
		}
	case *ast.TypeSpec:
		d.named(spec)
	}
}

// receiver is the type that a method belongs to.
func receiver(of ast.Expr) *ast.Ident {
	for {
		switch at := of.(type) {
		case *ast.StarExpr:
			of = at.X
		case *ast.IndexExpr:
			of = at.X
		case *ast.IndexListExpr:
			of = at.X
		default:
			return of.(*ast.Ident)
		}
	}
}

// value is a constant or a variable. A constant that another package's makes stands as it is written.
func (d *declarations) value(kind token.Token, name *ast.Ident, of, expression ast.Expr) {
	written := ""
	if of != nil {
		written = " " + d.text(of)
	}
	if c, ok := d.info.Defs[name].(*types.Const); ok {
		if named, ok := c.Type().(*types.Named); ok {
			written = " " + named.Obj().Name() // in a row of constants it stands with the first alone
		}
		if c.Val().Kind() != constant.Unknown {
			written += " = " + c.Val().ExactString()
		} else if expression != nil {
			written += " = " + d.text(expression)
		}
	}
	d.add("%s %s%s", kind, name.Name, written)
}

// named is a type: a struct's fields and an interface's methods have lines of their own.
func (d *declarations) named(spec *ast.TypeSpec) {
	name := spec.Name.Name
	if spec.TypeParams != nil {
		var parameters []string
		for _, p := range spec.TypeParams.List {
			parameters = append(parameters, d.names(p.Names)+" "+d.text(p.Type))
		}
		name += "[" + strings.Join(parameters, ", ") + "]"
	}
	var kind string
	var members *ast.FieldList
	switch of := spec.Type.(type) {
	case *ast.StructType:
		kind, members = "struct", of.Fields
	case *ast.InterfaceType:
		kind, members = "interface", of.Methods
	default:
		alias := ""
		if spec.Assign.IsValid() {
			alias = "= "
		}
		d.add("type %s %s%s", name, alias, d.text(of))
		return
	}
	d.add("type %s %s", name, kind)
	for _, member := range members.List {
		// A method's type begins with func, which its declaration does not say.
		of := d.text(member.Type)
		if _, method := member.Type.(*ast.FuncType); method && kind == "interface" {
			d.add("type %s %s, %s%s", name, kind, d.names(member.Names), strings.TrimPrefix(of, "func"))
			continue
		}
		for _, field := range member.Names {
			d.add("type %s %s, %s %s", name, kind, field.Name, of)
		}
		if len(member.Names) == 0 {
			d.add("type %s %s, embedded %s", name, kind, of)
		}
	}
}

func (d *declarations) names(of []*ast.Ident) string {
	var all []string
	for _, name := range of {
		all = append(all, name.Name)
	}
	return strings.Join(all, ", ")
}
