package lambdaapi

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/weftworks/weft/engine/function"
)

// layer is all versions of a layer. Its fields belong to Server.mu.
type layer struct {
	last     int
	versions map[int]*layerVersion
}

// layerVersion is one version. It does not change.
type layerVersion struct {
	code *archive
	out  layerOutput
}

// layerOutput is what is told of a version.
type layerOutput struct {
	Content                 map[string]any `json:",omitempty"`
	LayerArn                string         `json:",omitempty"`
	LayerVersionArn         string
	Description             string
	CreatedDate             string
	Version                 int
	CompatibleRuntimes      []string `json:",omitempty"`
	CompatibleArchitectures []string `json:",omitempty"`
	LicenseInfo             string   `json:",omitempty"`
}

// layerARN is that of a layer, without a version.
func (s *Server) layerARN(name string) string {
	return strings.TrimSuffix(s.service.ARN(""), "function:") + "layer:" + name
}

// layerName returns the name of the layer that a request is about.
func (s *Server) layerName(r *http.Request) string {
	return strings.TrimPrefix(r.PathValue("name"), s.layerARN(""))
}

// layerVersion returns the version with an ARN, or nil. The caller holds mu.
func (s *Server) layerVersion(arn string) *layerVersion {
	rest, ok := strings.CutPrefix(arn, s.layerARN(""))
	name, version, _ := strings.Cut(rest, ":")
	n, err := strconv.Atoi(version)
	if l := s.layers[name]; ok && err == nil && l != nil {
		return l.versions[n]
	}
	return nil
}

// publishLayer is PublishLayerVersion.
func (s *Server) publishLayer(w http.ResponseWriter, r *http.Request) error {
	var in struct {
		layerOutput
		Content codeSource
	}
	if err := read(r, "PublishLayerVersion", codeRequestBytes, &in); err != nil {
		return err
	}
	if s.cfg.Dir == "" {
		return invalidParameter("this endpoint has no directory for code: layers cannot be published")
	}
	name := s.layerName(r)
	if err := function.CheckName(name); err != nil {
		return invalidParameter(err.Error())
	}
	if err := in.Content.check(); err != nil {
		return err
	}
	code, err := newArchive(s.cfg.Dir, in.Content.ZipFile)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	l := s.layers[name]
	if l == nil {
		l = &layer{versions: map[int]*layerVersion{}}
		s.layers[name] = l
	}
	l.last++ // a number is not used again
	v := &layerVersion{code: code, out: in.layerOutput}
	v.out.LayerArn, v.out.Version = s.layerARN(name), l.last
	v.out.LayerVersionArn = fmt.Sprintf("%s:%d", v.out.LayerArn, l.last)
	v.out.CreatedDate = time.Now().UTC().Format("2006-01-02T15:04:05.000-0700")
	v.out.Content = map[string]any{"CodeSha256": code.sha256, "CodeSize": code.size}
	l.versions[l.last] = v
	reply(w, http.StatusCreated, &v.out)
	return nil
}

// getLayer is GetLayerVersion.
func (s *Server) getLayer(w http.ResponseWriter, r *http.Request) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	v := s.layerVersion(s.layerARN(s.layerName(r)) + ":" + r.PathValue("version"))
	if v == nil {
		return notFound("The resource you requested does not exist.")
	}
	reply(w, http.StatusOK, &v.out)
	return nil
}

// listLayer is ListLayerVersions: the latest first, without what is in them.
func (s *Server) listLayer(w http.ResponseWriter, r *http.Request) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []layerOutput
	if l := s.layers[s.layerName(r)]; l != nil {
		for _, n := range slices.Backward(slices.Sorted(maps.Keys(l.versions))) {
			out := l.versions[n].out
			out.Content, out.LayerArn = nil, ""
			all = append(all, out)
		}
	}
	return listed(w, r, "LayerVersions", all)
}

// deleteLayer is DeleteLayerVersion. Functions that have it keep it.
func (s *Server) deleteLayer(w http.ResponseWriter, r *http.Request) error {
	n, err := strconv.Atoi(r.PathValue("version"))
	if err != nil {
		return invalidParameter("the version of a layer is a number")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if l := s.layers[s.layerName(r)]; l != nil {
		delete(l.versions, n)
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}
