using System.Net;
using Amazon.Runtime;
using ZfsSnapshotManager.Core.Api;
using ZfsSnapshotManager.Server.Configuration;

namespace ZfsSnapshotManager.Server.Storage.S3;

/// <summary>The HTTP connections below the SDK.</summary>
internal sealed class S3HttpClients : HttpClientFactory, IDisposable
{
    private readonly HttpClient _client;
    private volatile bool _corrupts;

    public S3HttpClients(S3Settings settings)
    {
        var authorities = settings.CaFile is { } file ? CertificateAuthorities.Read("S3_CA_FILE", file) : null;
        var sockets = new SocketsHttpHandler
        {
            AllowAutoRedirect = false, // a signature is valid for one host
            AutomaticDecompression = DecompressionMethods.None,
            ConnectTimeout = TimeSpan.FromSeconds(15),
            ConnectCallback = WatchedConnection.ConnectAsync,
            PooledConnectionLifetime = TimeSpan.FromMinutes(10), // so that changed DNS records take effect
            PooledConnectionIdleTimeout = TimeSpan.FromSeconds(30),
            SslOptions = { RemoteCertificateValidationCallback = authorities is null ? null : authorities.IsTrusted },
        };
        _client = new HttpClient(new BodyHandler(this, sockets)) { Timeout = Timeout.InfiniteTimeSpan };
    }

    public override HttpClient CreateHttpClient(IClientConfig clientConfig) => _client;

    public override bool UseSDKHttpClientCaching(IClientConfig clientConfig) => false;

    public override bool DisposeHttpClientsAfterUse(IClientConfig clientConfig) => false;

    /// <summary>Until it is disposed, bodies are changed in transit.</summary>
    public IDisposable CorruptBodies()
    {
        _corrupts = true;
        return new Corruption(this);
    }

    public void Dispose() => _client.Dispose();

    private sealed class Corruption(S3HttpClients owner) : IDisposable
    {
        public void Dispose() => owner._corrupts = false;
    }

    private sealed class BodyHandler(S3HttpClients owner, HttpMessageHandler inner) : DelegatingHandler(inner)
    {
        /// <summary>
        /// A smaller body is sent even if the request was already refused: .NET then keeps the connection
        /// (HttpConnection, Expect100ErrorSendThreshold).
        /// </summary>
        private const int MaxUnaskedBody = 1024;

        protected override async Task<HttpResponseMessage> SendAsync(
            HttpRequestMessage request,
            CancellationToken cancellationToken
        )
        {
            // radosgw (Ceph 16) does not expect that: it reads the body as the next request and answers 400 to what
            // follows.
            if (request.Content is { Headers.ContentLength: <= MaxUnaskedBody })
                request.Headers.ExpectContinue = false;
            if (owner._corrupts && request.Content is { } content)
            {
                var body = await content.ReadAsByteArrayAsync(cancellationToken);
                if (body.Length > 0)
                    body[0] ^= 1;
                var changed = new ByteArrayContent(body);
                foreach (var (name, value) in content.Headers)
                    changed.Headers.TryAddWithoutValidation(name, value);
                request.Content = changed;
            }

            return await base.SendAsync(request, cancellationToken);
        }
    }
}
