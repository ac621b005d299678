package deploy

// This module is required before the package that uses it has landed.
import _ "cloud.google.com/go/functions/apiv2"
