using System.Net;
using System.Net.Security;
using System.Security.Cryptography.X509Certificates;
using Amazon.Runtime;
using ZfsSnapshotManager.Core;
using ZfsSnapshotManager.Server.Configuration;

namespace ZfsSnapshotManager.Server.Storage.S3;

/// <summary>The HTTP connections below the SDK.</summary>
internal sealed class S3HttpClients : HttpClientFactory, IDisposable
{
    private readonly HttpClient _client;
    private readonly X509Certificate2Collection? _authorities;
    private volatile bool _corrupts;

    public S3HttpClients(S3Settings settings)
    {
        _authorities = settings.CaFile is { } file ? ReadAuthorities(file) : null;
        var sockets = new SocketsHttpHandler
        {
            AllowAutoRedirect = false, // a signature is valid for one host
            AutomaticDecompression = DecompressionMethods.None,
            ConnectTimeout = TimeSpan.FromSeconds(15),
            PooledConnectionLifetime = TimeSpan.FromMinutes(10), // so that changed DNS records take effect
            PooledConnectionIdleTimeout = TimeSpan.FromSeconds(30),
            SslOptions = { RemoteCertificateValidationCallback = _authorities is null ? null : IsTrusted },
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

    private static X509Certificate2Collection ReadAuthorities(string file)
    {
        var authorities = new X509Certificate2Collection();
        try
        {
            authorities.ImportFromPemFile(file);
        }
        catch (Exception e)
            when (e is System.Security.Cryptography.CryptographicException or IOException or UnauthorizedAccessException
            )
        {
            throw new OperationException(
                ExitCode.Configuration,
                $"S3_CA_FILE={file} cannot be read: {e.Message}",
                "It must contain certificates in PEM format.",
                e
            );
        }

        return authorities.Count > 0
            ? authorities
            : throw new OperationException(
                ExitCode.Configuration,
                $"S3_CA_FILE={file} contains no certificate.",
                "It must contain certificates in PEM format."
            );
    }

    /// <summary>Accepts only a chain to one of the given authorities, and only for the right name.</summary>
    private bool IsTrusted(object sender, X509Certificate? certificate, X509Chain? given, SslPolicyErrors errors)
    {
        if (
            certificate is null
            || errors.HasFlag(SslPolicyErrors.RemoteCertificateNameMismatch)
            || errors.HasFlag(SslPolicyErrors.RemoteCertificateNotAvailable)
        )
            return false;
        using var chain = new X509Chain();
        chain.ChainPolicy.TrustMode = X509ChainTrustMode.CustomRootTrust;
        chain.ChainPolicy.CustomTrustStore.AddRange(_authorities!);
        chain.ChainPolicy.RevocationMode = X509RevocationMode.NoCheck; // private authorities rarely publish lists
        if (given is not null)
            chain.ChainPolicy.ExtraStore.AddRange(given.ChainElements.Select(element => element.Certificate).ToArray());
        using var copy = new X509Certificate2(certificate);
        return chain.Build(copy);
    }

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
