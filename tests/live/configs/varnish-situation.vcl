# One backend, and the longest wait for the first byte of its answer; nothing is cached.
vcl 4.1;
backend default {
    .host = "{upstream_host}";
    .port = "{upstream_port}";
    .first_byte_timeout = {first_byte};
}
sub vcl_recv {
    return (pass);
}
