package glue

import (
	"strconv"
	"strings"

	"github.com/weftworks/weft/asl"
	"github.com/weftworks/weft/asl/jsonvalue"
)

// Places returns the JSON pointer of each state of a definition, in its own text: "/States/Each/ItemProcessor/States/Size".
func Places(def *asl.Machine) map[string]*asl.State {
	places := make(map[string]*asl.State, len(def.AllStates))
	tree, _ := jsonvalue.Parse(def.Text)
	addPlaces(places, "", &def.Graph, tree)
	return places
}

func addPlaces(places map[string]*asl.State, at string, g *asl.Graph, tree any) {
	for _, st := range g.States {
		place := at + "/States/" + pointerText.Replace(st.Name)
		places[place] = st
		own := member(member(tree, "States"), st.Name)
		switch {
		case st.Parallel != nil:
			branches, _ := member(own, "Branches").([]any)
			for i, below := range st.Parallel.Branches {
				var text any
				if i < len(branches) {
					text = branches[i]
				}
				addPlaces(places, place+"/Branches/"+strconv.Itoa(i), below, text)
			}
		case st.Map != nil:
			name := "ItemProcessor"
			if member(own, name) == nil {
				name = "Iterator"
			}
			addPlaces(places, place+"/"+name, st.Map.Processor, member(own, name))
		}
	}
}

var pointerText = strings.NewReplacer("~", "~0", "/", "~1")

func member(tree any, name string) any {
	o, ok := tree.(*jsonvalue.Object)
	if !ok {
		return nil
	}
	v, _ := o.Get(name)
	return v
}

// Function returns the name of the function that a Task calls; "" when it is evaluated when the state is entered, or when
// the Task calls something else.
func Function(st *asl.State) string {
	switch {
	case st.Task == nil:
		return ""
	case st.Task.Target.Kind == asl.TargetFunction:
		return st.Task.Target.Function
	case st.Task.Target.Kind != asl.TargetLambdaInvoke:
		return ""
	}
	template := st.Parameters
	if st.QueryLanguage == asl.JSONata {
		template = st.Arguments
	}
	if template == nil {
		return ""
	}
	for i := range template.Root.Fields {
		if f := &template.Root.Fields[i]; f.Key == "FunctionName" {
			text, _ := f.Node.Literal.(string)
			name, _, _ := asl.ParseFunctionName(text)
			return name
		}
	}
	text, _ := member(template.Root.Literal, "FunctionName").(string)
	name, _, _ := asl.ParseFunctionName(text)
	return name
}
