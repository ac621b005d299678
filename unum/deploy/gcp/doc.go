// Package gcp deploys applications to Cloud Run functions, Firestore and Cloud Tasks, by Google's own clients. Credentials are those
// that the clients find by themselves.
//
//	account   functions: what functions run as; tasks: in whose name the queue calls them
//	database  records and blobs, with their time to live and without indexes
//	queue     all requests, delayed or not
//	grant     a role for an account on one of these, and on nothing else
//	function  one for each of the application
//
// Names are Google's full names, so that an application that is deployed to another project or region is another.
package gcp
