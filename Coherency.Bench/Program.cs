Console.WriteLine("coherency-bench");
