using Microsoft.AspNetCore.Connections;

namespace Coherency.Daemon.Hosting.Web;

/// <summary>Ends connections to a listener that are too many as soon as they are there.</summary>
/// <param name="most">At once.</param>
internal sealed class ConnectionLimit(int most)
{
    private int _open;

    public ConnectionDelegate Apply(ConnectionDelegate next) => async connection =>
    {
        try
        {
            if (Interlocked.Increment(ref _open) > most)
            {
                connection.Abort();
                return;
            }

            await next(connection).ConfigureAwait(false);
        }
        finally
        {
            Interlocked.Decrement(ref _open);
        }
    };
}
