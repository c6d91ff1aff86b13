mod hostnames;
mod malformed;
mod minimal;
mod objects;
mod order;
mod proxies;
mod references;
mod secrets;
