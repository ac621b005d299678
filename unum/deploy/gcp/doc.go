// Package gcp deploys applications to Google Cloud, by Google's own clients: Cloud Run functions, a queue of Cloud Tasks,
// the project's Firestore. Credentials are those that the clients find by themselves.
//
//	account   the functions' service account      grant     what it may do in the project
//	database  Firestore's default database        expiry    the time to live of the application's collection
//	queue     all requests, delayed or not        function  one for each of the application
//
// The database is the project's, and stays when a deployment is destroyed; what is left of its records expires.
package gcp
