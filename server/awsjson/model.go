package awsjson

// Member is a member of a structure in the service's model.
type Member struct {
	Name  string
	Type  Type
	Rules []Rule
	Each  []Rule   // of the elements of a List
	In    []Member // of a Structure, or of each structure of a Structures
}

// Type is the type of a member.
type Type uint8

// The types of members.
const (
	Text       Type = iota + 1
	Number          // an integer
	Real            // a number that may have a fraction
	Flag            // a boolean
	Texts           // a list of texts
	Structure       // an object whose members are known
	Structures      // a list of those
)

// checkText checks a text; one without bounds, which may be large, is not decoded for it.
func (o *Object) checkText(m *Member) {
	for _, r := range m.Rules {
		if r.length || r.enum != nil || r.pattern != nil {
			o.Optional(m.Name, m.Rules...)
			return
		}
	}
	switch raw := o.raw(m.Name); {
	case raw == nil:
		o.absent(m.Name, m.Rules)
	case raw[0] != '"':
		o.mistyped(o.path+m.Name, raw, "a string")
	}
}

// Check notes what in the object breaks the model, in the model's order. Members that it does not have are ignored.
func (o *Object) Check(model []Member) {
	for i := range model {
		m := &model[i]
		switch m.Type {
		case Text:
			o.checkText(m)
		case Number:
			o.Int(m.Name, m.Rules...)
		case Real:
			o.Real(m.Name, m.Rules...)
		case Flag:
			o.Bool(m.Name, false)
		case Texts:
			o.Strings(m.Name, m.Each, m.Rules...)
		case Structure:
			if in := o.Object(m.Name, m.Rules...); in != nil {
				in.Check(m.In)
			}
		case Structures:
			for _, in := range o.Objects(m.Name, m.Rules...) {
				in.Check(m.In)
			}
		}
	}
}
